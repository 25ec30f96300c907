import { setTimeout as sleep } from "node:timers/promises";
import { status } from "@grpc/grpc-js";
import { toDuration } from "../../lib/duration.js";
import { unavailable, ZorError } from "../../lib/errors.js";
import type { Connection } from "../../lib/grpc/connection.js";
import { fromStatus } from "../../lib/grpc/status-codec.js";
import { type Operation, OperationState } from "../../proto/gen/zor/v1/operation.js";
import { OperationServiceService } from "../../proto/gen/zor/v1/operation_service.js";

/** How an operation is followed. */
export interface RunOperationOptions {
  /** Told the operation at first and after every look at it. */
  readonly onProgress?: (operation: Operation) => void;
  /** Asks the server to cancel the operation; it is then followed until it has undone what it began. */
  readonly signal?: AbortSignal;
}

const pollMs = 500;
/** A server that is away for longer than this while it works is given up. */
const patienceMs = 60_000;

/**
 * Follows an operation until it has succeeded, and returns it. A server that restarts meanwhile is asked again.
 * @throws {ZorError} the operation's own error when it failed or was cancelled.
 */
export async function runOperation(
  connection: Connection,
  operation: Operation,
  { onProgress, signal }: RunOperationOptions = {},
): Promise<Operation> {
  let current = operation;
  let cancelled = false;
  let lastHeardMs = performance.now();
  onProgress?.(current);
  while (current.state === OperationState.OPERATION_STATE_RUNNING) {
    const cancelling = signal?.aborted === true && !cancelled;
    try {
      current = cancelling
        ? await cancel(connection, current.name)
        : await look(connection, current.name, cancelled ? undefined : signal);
      if (cancelling) cancelled = true;
      lastHeardMs = performance.now();
      onProgress?.(current);
    } catch (error) {
      // The look was cut short by the signal: the cancel goes out next.
      if (!cancelling && !cancelled && signal?.aborted === true) continue;
      if (isForgotten(error)) throw lostOperation(current, error);
      if (!isAway(error) || performance.now() - lastHeardMs > patienceMs) throw error;
      await sleep(pollMs);
    }
  }
  if (current.state === OperationState.OPERATION_STATE_SUCCEEDED) return current;
  throw current.error === undefined
    ? new ZorError({
        reason: "OPERATION_CANCELLED",
        code: status.CANCELLED,
        message: `${current.verb} of ${current.target} was cancelled`,
        resource: current.target,
      })
    : fromStatus(current.error);
}

async function look(connection: Connection, name: string, signal: AbortSignal | undefined): Promise<Operation> {
  const response = await connection.unary(
    OperationServiceService.waitOperation,
    { name, timeout: toDuration(pollMs) },
    { timeoutMs: 10_000, ...(signal === undefined ? {} : { signal }) },
  );
  return presentOperation(response.operation, name);
}

async function cancel(connection: Connection, name: string): Promise<Operation> {
  try {
    const request = { name, requestId: crypto.randomUUID() };
    const response = await connection.unary(OperationServiceService.cancelOperation, request, { timeoutMs: 10_000 });
    return presentOperation(response.operation, name);
  } catch (error) {
    // It finished before it could be cancelled: the next look tells how.
    if (error instanceof ZorError && error.code === status.FAILED_PRECONDITION)
      return look(connection, name, undefined);
    throw error;
  }
}

/** The operation of a response. @throws {ZorError} INTERNAL when the server left it out. */
export function presentOperation(operation: Operation | undefined, resource: string): Operation {
  if (operation !== undefined) return operation;
  throw new ZorError({
    reason: "NO_OPERATION",
    code: status.INTERNAL,
    message: `the server's answer about ${resource} holds no operation; is it of another version?`,
    resource,
  });
}

/** A server that was restarted may not know its operations any more; what they were about may be done or not. */
function lostOperation({ verb, target }: Operation, cause: unknown): ZorError {
  const message = `the server was restarted and cannot tell how ${verb} of ${target} ended; look at it with: zor get`;
  return unavailable("OPERATION_LOST", target, message, cause);
}

function isForgotten(error: unknown): boolean {
  return error instanceof ZorError && error.code === status.NOT_FOUND;
}

/** Whether nothing was answered, which may pass: a server that is started anew, or that is busy. */
export function isAway(error: unknown): boolean {
  return error instanceof ZorError && (error.code === status.UNAVAILABLE || error.code === status.DEADLINE_EXCEEDED);
}
