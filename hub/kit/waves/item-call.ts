import { createHash } from "node:crypto";
import type { Caller } from "../../../lib/auth/caller.js";
import { Backoff } from "../../../lib/backoff.js";
import { ZorError } from "../../../lib/errors.js";
import type { CallContext } from "../../../lib/grpc/service.js";
import { fromStatus } from "../../../lib/grpc/status-codec.js";
import type { AnyMethod } from "../../../lib/kinds/codecs.js";
import { type Operation, OperationState } from "../../../proto/gen/zor/v1/operation.js";
import { OperationServiceService } from "../../../proto/gen/zor/v1/operation_service.js";
import type { InnerCalls } from "./inner-calls.js";

/** How long one call may take. */
const callMs = 5 * 60_000;
/** One look at an operation. */
const lookSeconds = 60n;
/** A host that is lost in the middle of a call is waited for so long: it recognises the request. */
const lostMs = 5 * 60_000;
/** One that is not there at the beginning: its agent, or the hub, may just be starting. */
const awayMs = 60_000;
/** Of errors that do not tell whether it was done. */
const unsure: ReadonlySet<string> = new Set(["HOST_LOST", "HOST_SILENT"]);
const away = "HOST_NOT_READY";

/** Who calls, for how long. */
export interface ItemCaller {
  readonly calls: InnerCalls;
  readonly caller: Caller;
  readonly signal: AbortSignal;
}

/** The request id of one resource of a wave: the same in every run. */
export function itemRequestId(wave: string, index: number): string {
  const hash = createHash("sha256").update(`${wave} ${index}`).digest("hex");
  return hash.slice(0, 32).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

/** Does a method and waits for the operation that it begins. @throws {ZorError} why it failed. */
export async function callItem(
  method: AnyMethod,
  request: object,
  by: ItemCaller,
  began: (operation: string) => void,
): Promise<void> {
  const answer = await patiently(by, () => by.calls.call(method.path, request, contextOf(by, method.path)));
  const begun = operationOf(answer);
  if (begun === undefined) return;
  began(begun.name);
  const wait = OperationServiceService.waitOperation.path;
  let now: Operation = begun;
  while (now.state === OperationState.OPERATION_STATE_RUNNING) {
    by.signal.throwIfAborted();
    const look = { name: begun.name, timeout: { seconds: lookSeconds, nanos: 0 } };
    now = operationOf(await patiently(by, () => by.calls.call(wait, look, contextOf(by, wait)))) ?? now;
  }
  if (now.state !== OperationState.OPERATION_STATE_SUCCEEDED && now.error !== undefined) throw fromStatus(now.error);
}

async function patiently<T>({ signal }: ItemCaller, call: () => Promise<T>): Promise<T> {
  const backoff = new Backoff({ minMs: 500, maxMs: 8_000 });
  const beganMs = performance.now();
  for (let patienceMs = awayMs; ; ) {
    try {
      return await call();
    } catch (error) {
      const reason = error instanceof ZorError ? error.reason : "";
      if (unsure.has(reason)) patienceMs = lostMs;
      else if (reason !== away) throw error;
      if (performance.now() - beganMs > patienceMs || signal.aborted) throw error;
    }
    await backoff.wait(signal);
  }
}

function operationOf(answer: unknown): Operation | undefined {
  if (typeof answer !== "object" || answer === null || !("operation" in answer)) return undefined;
  // In every answer of that name it is one.
  return answer.operation as Operation | undefined;
}

function contextOf({ caller, signal }: ItemCaller, method: string): CallContext {
  const untilMs = performance.now() + callMs;
  return { caller, signal, method, peer: "", remainingMs: () => untilMs - performance.now(), tell: () => undefined };
}
