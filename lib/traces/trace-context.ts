import { AsyncLocalStorage } from "node:async_hooks";

/** What stands in a traceparent (W3C Trace Context): which trace, which span of it, and whether it is recorded. */
export interface TraceParent {
  /** 32 hexadecimal digits, not all 0. */
  readonly traceId: string;
  /** 16 hexadecimal digits, not all 0. */
  readonly spanId: string;
  readonly isSampled: boolean;
}

/** What a span is, in the numbers of OTLP. */
export const spanKinds = { internal: 1, server: 2, client: 3 } as const;

export type AttributeValue = string | number | boolean;

/** What a span begins with. */
export interface SpanStart {
  readonly name: string;
  readonly kind: keyof typeof spanKinds;
  readonly attributes?: Readonly<Record<string, AttributeValue>>;
}

/** A piece of work within a trace. */
export interface OpenSpan {
  readonly own: TraceParent;
  readonly hasEnded: boolean;
  set(name: string, value: AttributeValue): void;
  /** It failed. */
  fail(message: string): void;
  /** It has ended; only the first time counts. */
  end(): void;
  /** A piece of this one. */
  child(start: SpanStart): OpenSpan;
  /** Does work within it, and ends it with that. */
  during<Made>(work: () => Promise<Made>): Promise<Made>;
}

/** Where the work that runs is within a trace. */
export interface TraceContext {
  readonly parent: TraceParent;
  /** Undefined: this program records nothing, and passes on what it was told. */
  readonly span: OpenSpan | undefined;
}

/** Metadata key, as W3C names the header. */
export const traceparentKey = "traceparent";

const form = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
const longest = 256;
const contexts = new AsyncLocalStorage<TraceContext>();

/** Reads the values of the header; undefined: there is none, or several, or it is no traceparent: then a new trace begins, as W3C has it. */
export function parseTraceparent(values: readonly (string | Buffer)[]): TraceParent | undefined {
  const [value, ...more] = values;
  if (typeof value !== "string" || more.length > 0 || value.length > longest) return undefined;
  const [, version = "", traceId = "", spanId = "", flags = "", rest] = form.exec(value) ?? [];
  if (version === "" || version === "ff" || /^0+$/.test(traceId) || /^0+$/.test(spanId)) return undefined;
  // Only a later version may say more.
  if (version === "00" && rest !== undefined) return undefined;
  return { traceId, spanId, isSampled: (Number.parseInt(flags, 16) & 1) === 1 };
}

export function formatTraceparent({ traceId, spanId, isSampled }: TraceParent): string {
  return `00-${traceId}-${spanId}-${isSampled ? "01" : "00"}`;
}

/** Where the work that runs now is; undefined: in no trace, or in one whose span has ended, as what goes on for ever afterwards. */
export function currentTrace(): TraceContext | undefined {
  const context = contexts.getStore();
  return context?.span?.hasEnded === true ? undefined : context;
}

/** Does work at a place of a trace; what it begins is there as well. */
export function inTrace<Made>(context: TraceContext, work: () => Made): Made {
  return contexts.run(context, work);
}
