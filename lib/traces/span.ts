import { randomBytes } from "node:crypto";
import { messageOf } from "../errors.js";
import {
  type AttributeValue,
  currentTrace,
  inTrace,
  type OpenSpan,
  type SpanStart,
  type TraceContext,
  type TraceParent,
} from "./trace-context.js";

/** What takes spans that have ended. Never waits. */
export interface SpanSink {
  take(span: Span): void;
}

const longestText = 500;

/** A piece of work within a trace. */
export class Span implements OpenSpan {
  readonly name: string;
  readonly kind: SpanStart["kind"];
  readonly own: TraceParent;
  /** Undefined: it is the first of its trace. */
  readonly parentId: string | undefined;
  readonly startMs: number;
  readonly attributes: Record<string, AttributeValue>;
  readonly #sink: SpanSink;
  readonly #begin = performance.now();
  /** Milliseconds that it took; undefined: it goes on. */
  #tookMs: number | undefined;
  #error: string | undefined;

  constructor(start: SpanStart, { parent, traceId, isSampled, sink }: Parentage) {
    this.name = start.name;
    this.kind = start.kind;
    this.attributes = { ...start.attributes };
    this.parentId = parent?.spanId;
    this.own = { traceId, spanId: randomBytes(8).toString("hex"), isSampled };
    this.startMs = Date.now();
    this.#sink = sink;
  }

  get hasEnded(): boolean {
    return this.#tookMs !== undefined;
  }

  get endMs(): number {
    return this.startMs + (this.#tookMs ?? 0);
  }

  /** What went wrong; undefined: nothing did. */
  get error(): string | undefined {
    return this.#error;
  }

  set(name: string, value: AttributeValue): void {
    this.attributes[name] = typeof value === "string" ? value.slice(0, longestText) : value;
  }

  /** It failed. */
  fail(message: string): void {
    this.#error = message.slice(0, longestText);
  }

  /** It has ended; only the first time counts. */
  end(): void {
    if (this.#tookMs !== undefined) return;
    this.#tookMs = performance.now() - this.#begin;
    if (this.own.isSampled) this.#sink.take(this);
  }

  /** A piece of this one. */
  child(start: SpanStart): Span {
    const { traceId, isSampled } = this.own;
    return new Span(start, { parent: this.own, traceId, isSampled, sink: this.#sink });
  }

  /** Does work within it, and ends it with that. */
  async during<Made>(work: () => Promise<Made>): Promise<Made> {
    try {
      return await inTrace(this.context, work);
    } catch (error) {
      this.fail(messageOf(error));
      throw error;
    } finally {
      this.end();
    }
  }

  get context(): TraceContext {
    return { parent: this.own, span: this };
  }
}

/** Where a span hangs. */
export interface Parentage {
  readonly parent: TraceParent | undefined;
  readonly traceId: string;
  readonly isSampled: boolean;
  readonly sink: SpanSink;
}

/** Does work as a span of its own where there is a trace, else just does it. */
export function asSpan<Made>(start: SpanStart, work: () => Promise<Made>): Promise<Made> {
  const span = currentTrace()?.span?.child(start);
  return span === undefined ? work() : span.during(work);
}
