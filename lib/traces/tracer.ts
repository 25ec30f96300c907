import { randomBytes } from "node:crypto";
import type { Sampler } from "./sampler.js";
import { Span, type SpanSink } from "./span.js";
import type { SpanStart, TraceParent } from "./trace-context.js";

/** Begins the spans with which a trace enters this program, or starts. */
export class Tracer {
  readonly #sampler: Sampler;
  readonly #sink: SpanSink;

  constructor(sampler: Sampler, sink: SpanSink) {
    this.#sampler = sampler;
    this.#sink = sink;
  }

  /** @param parent what the caller told; undefined: a trace begins. */
  begin(start: SpanStart, parent: TraceParent | undefined): Span {
    const traceId = parent?.traceId ?? randomBytes(16).toString("hex");
    const isSampled = this.#sampler(traceId, parent);
    return new Span(start, { parent, traceId, isSampled, sink: this.#sink });
  }
}
