import { createHash } from "node:crypto";
import { status } from "@grpc/grpc-js";
import type { Caller } from "../../../lib/auth/caller.js";
import { Backoff } from "../../../lib/backoff.js";
import { unavailable, ZorError } from "../../../lib/errors.js";
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
const lostOperation = "OPERATION_LOST";
/** Of operations whose end nobody has seen. */
const endless: ReadonlySet<string> = new Set([lostOperation, "OPERATION_ABANDONED"]);
const away = "HOST_NOT_READY";
/** Others have to end first. */
const busy = "TOO_MANY_OPERATIONS";

/** Whether an error leaves open if it was done. */
export function isUnsure(error: unknown): boolean {
  if (!(error instanceof ZorError)) return false;
  return unsure.has(error.reason) || endless.has(error.reason) || error.code === status.DEADLINE_EXCEEDED;
}

/** Who calls, for how long. */
export interface ItemCaller {
  readonly calls: InnerCalls;
  /** @throws {ZorError} when the caller may not do it any more. */
  readonly permit: () => void;
  readonly caller: Caller;
  readonly signal: AbortSignal;
  /** An earlier run has asked for it, and nobody knows what became of that. */
  readonly isAskedAgain: boolean;
  /** Told what it waits for while a host does not answer. */
  readonly waits: (error: ZorError, mayBeDone: boolean) => void;
  /** Told when the host has answered again. */
  readonly answered: () => void;
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
  const ask = (): Promise<unknown> => by.calls.call(method.path, request, contextOf(by, method.path));
  const answer = await patiently(by, ask, { mayBeDone: by.isAskedAgain, mayAgain: () => isPermitted(by) });
  const begun = operationOf(answer);
  if (begun === undefined) return;
  began(begun.name);
  const wait = OperationServiceService.waitOperation.path;
  let now: Operation = begun;
  while (now.state === OperationState.OPERATION_STATE_RUNNING) {
    by.signal.throwIfAborted();
    const look = { name: begun.name, timeout: { seconds: lookSeconds, nanos: 0 } };
    const ask = (): Promise<unknown> => by.calls.call(wait, look, contextOf(by, wait));
    const seen = await patiently(by, ask, { mayBeDone: true, mayAgain: () => true }).catch((error: unknown) =>
      Promise.reject(orLost(error, begun)),
    );
    now = operationOf(seen) ?? now;
  }
  if (now.state !== OperationState.OPERATION_STATE_SUCCEEDED && now.error !== undefined) throw fromStatus(now.error);
}

interface Patience {
  /** It may be done already, whatever a host that is not there says now. */
  readonly mayBeDone: boolean;
  /** Whether it may be asked for again. */
  readonly mayAgain: () => boolean;
}

/** Asks again for as long as it makes sense. @throws {ZorError} what leaves open whether it was done where that is so. */
async function patiently<T>(
  { signal, waits, answered }: ItemCaller,
  call: () => Promise<T>,
  { mayBeDone: wasAsked, mayAgain }: Patience,
): Promise<T> {
  const backoff = new Backoff({ minMs: 500, maxMs: 8_000 });
  let [mayBeDone, isWaiting] = [wasAsked, false];
  let lostAtMs = performance.now();
  for (;;) {
    try {
      const answer = await call();
      if (isWaiting) answered();
      return answer;
    } catch (error) {
      if (!(error instanceof ZorError && mayEnd(error))) throw error;
      if (!isWaiting) lostAtMs = performance.now();
      isWaiting = true;
      mayBeDone ||= unsure.has(error.reason);
      const isPatient = mayBeDone || error.reason === busy;
      const isOver = performance.now() - lostAtMs > (isPatient ? lostMs : awayMs);
      const told = mayBeDone && error.reason === away ? mayHaveBeenDone(error) : error;
      if (isOver || signal.aborted) throw told;
      waits(told, mayBeDone);
      await backoff.wait(signal);
      if (!mayAgain()) throw told;
    }
  }
}

/** Whether what keeps a call from being answered may end by itself. */
function mayEnd({ reason }: ZorError): boolean {
  return unsure.has(reason) || reason === busy || reason === away;
}

/** The host was lost after it had been asked: that it is not there tells nothing of what it did. */
function mayHaveBeenDone(error: ZorError): ZorError {
  const text = `${error.message}; what it was asked for before may have been carried out or not`;
  return unavailable("HOST_LOST", error.resource ?? "", text, error);
}

function isPermitted({ permit }: ItemCaller): boolean {
  try {
    permit();
    return true;
  } catch {
    return false;
  }
}

/** The agent has forgotten an operation: how it ended nobody can tell. */
function orLost(error: unknown, { name, target }: Operation): unknown {
  if (!(error instanceof ZorError) || error.code !== status.NOT_FOUND) return error;
  return unavailable(lostOperation, target, `${name} is not known any more; look at ${target}`, error);
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
