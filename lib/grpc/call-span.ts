import { status } from "@grpc/grpc-js";
import type { Caller } from "../auth/caller.js";
import { messageOf, ZorError } from "../errors.js";
import { parseHostPort } from "../socket-address.js";
import {
  type AttributeValue,
  currentTrace,
  formatTraceparent,
  inTrace,
  type OpenSpan,
  parseTraceparent,
  traceparentKey,
} from "../traces/trace-context.js";
import type { Tracer } from "../traces/tracer.js";

/** A call that is made within a trace. */
export interface TracedCall {
  /** What its metadata tells the server. */
  readonly metadata: Readonly<Record<string, string>>;
  /** It has ended. @param error undefined: well. */
  readonly end: (error?: unknown) => void;
}

const untraced: TracedCall = { metadata: {}, end: () => undefined };

/** The span of a call to a server; of one that belongs to no trace nothing is kept and told. */
export function traceCall(path: string, address: string): TracedCall {
  const trace = currentTrace();
  if (trace === undefined) return untraced;
  const place = parseHostPort(address);
  const where = place === undefined ? {} : { "server.address": place.host, "server.port": place.port };
  const span = trace.span?.child({ ...callAttributes(path), kind: "client" });
  for (const [name, value] of Object.entries(where)) span?.set(name, value);
  return {
    metadata: { [traceparentKey]: formatTraceparent(span?.own ?? trace.parent) },
    end: (error) => {
      if (span !== undefined) endCall(span, error, () => true);
    },
  };
}

/** Name and attributes of a call's span, in the words of OpenTelemetry. */
function callAttributes(path: string): { name: string; attributes: Record<string, AttributeValue> } {
  const [, service = "", method = ""] = path.split("/");
  return {
    name: `${service}/${method}`,
    attributes: { "rpc.system": "grpc", "rpc.service": service, "rpc.method": method },
  };
}

/** Ends the span of a call. @param isFault of which codes the span has failed. */
function endCall(span: OpenSpan, error: unknown, isFault: (code: status) => boolean): void {
  const code = error === undefined ? status.OK : error instanceof ZorError ? error.code : status.INTERNAL;
  span.set("rpc.grpc.status_code", code);
  if (error !== undefined && isFault(code)) span.fail(messageOf(error));
  span.end();
}

/** Codes with which it is the server that failed, not the caller that asked for something odd. */
const faults: ReadonlySet<status> = new Set([
  ...[status.UNKNOWN, status.DEADLINE_EXCEEDED, status.UNIMPLEMENTED],
  ...[status.INTERNAL, status.UNAVAILABLE, status.DATA_LOSS],
]);

function isServerFault(code: status): boolean {
  return faults.has(code);
}

/** A call that is served. */
export interface ServedCall {
  readonly method: string;
  readonly caller: Caller;
  readonly tracer?: Tracer | undefined;
}

/** Serves a call within the trace that its caller told of, or a new one. @param told what its metadata says of a trace. */
export async function traceWork<Answer>(
  told: readonly (string | Buffer)[],
  { method, caller, tracer }: ServedCall,
  work: () => Promise<Answer>,
): Promise<Answer> {
  const parent = parseTraceparent(told);
  if (tracer === undefined) return parent === undefined ? work() : inTrace({ parent, span: undefined }, work);
  // What a hub asks for itself, it asks all the time.
  if (parent === undefined && caller.kind === "hub") return work();
  const span = tracer.begin({ ...callAttributes(method), kind: "server" }, parent);
  span.set("zor.caller", caller.identity);
  try {
    const answer = await inTrace(span.context, work);
    endCall(span, undefined, isServerFault);
    return answer;
  } catch (error) {
    endCall(span, error, isServerFault);
    throw error;
  }
}
