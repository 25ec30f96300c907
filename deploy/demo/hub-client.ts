import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { status } from "@grpc/grpc-js";
import { messageOf, ZorError } from "../../lib/errors.js";
import { Connection } from "../../lib/grpc/connection.js";
import { fromStatus } from "../../lib/grpc/status-codec.js";
import { loadIdentity } from "../../lib/tls/identity.js";
import { hubServerName } from "../../lib/tls/join.js";
import { HostServiceService, ListHostsRequest } from "../../proto/gen/zor/v1/host_service.js";
import { type Operation, OperationState } from "../../proto/gen/zor/v1/operation.js";
import { OperationServiceService } from "../../proto/gen/zor/v1/operation_service.js";
import type { DemoLayout } from "./layout.js";

/** Opens a connection to the demo's hub as its local administrator. @throws {ZorError} when the hub has never run. */
export async function openDemoHub(layout: DemoLayout): Promise<Connection> {
  const identity = await loadIdentity(join(layout.hubState, "admin"));
  return new Connection({ address: layout.hubMain, identity, serverName: hubServerName });
}

/** Like {@link openDemoHub}, once the hub answers; retried until `timeoutMs` has passed. */
export async function waitForHub(layout: DemoLayout, timeoutMs: number, signal: AbortSignal): Promise<Connection> {
  const what = `the hub does not answer at ${layout.hubMain}`;
  return retry({ timeoutMs, signal, what }, async () => {
    const hub = await openDemoHub(layout);
    try {
      await hub.unary(HostServiceService.listHosts, ListHostsRequest.fromPartial({}), { timeoutMs: 2000, signal });
      return hub;
    } catch (error) {
      hub.close();
      throw error;
    }
  });
}

/** How often and how long something is tried. */
interface Patience {
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** What is told when it never succeeds. */
  readonly what: string;
  /** Between two attempts; default 100. */
  readonly pauseMs?: number;
}

/** Repeats `attempt` until it succeeds; after `timeoutMs` the last error is told together with `what`. */
export async function retry<Result>(
  { timeoutMs, signal, what, pauseMs = 100 }: Patience,
  attempt: () => Promise<Result>,
): Promise<Result> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    signal.throwIfAborted();
    try {
      return await attempt();
    } catch (error) {
      if (performance.now() >= deadline) {
        throw new Error(`${what} (waited ${Math.round(timeoutMs / 1000)} s): ${messageOf(error)}`, { cause: error });
      }
    }
    await delay(pauseMs, undefined, { signal });
  }
}

/** Follows an operation to its end. @throws {ZorError} what the operation failed with. */
export async function finish(
  hub: Connection,
  operation: Operation | undefined,
  signal: AbortSignal,
): Promise<Operation> {
  let current = operation;
  while (current !== undefined && current.state === OperationState.OPERATION_STATE_RUNNING) {
    const request = { name: current.name, timeout: { seconds: 5n, nanos: 0 } };
    const response = await hub.unary(OperationServiceService.waitOperation, request, { signal });
    current = response.operation;
  }
  if (current?.state === OperationState.OPERATION_STATE_SUCCEEDED) return current;
  if (current?.error !== undefined) throw fromStatus(current.error);
  throw new Error(`${operation?.verb ?? "operation"} of ${operation?.target ?? "unknown"} did not succeed`);
}

/** The result, or undefined when the resource does not exist. */
export async function findOrUndefined<Result>(call: Promise<Result>): Promise<Result | undefined> {
  try {
    return await call;
  } catch (error) {
    if (isCode(error, status.NOT_FOUND)) return undefined;
    throw error;
  }
}

/** Whether an error has a gRPC code. */
function isCode(error: unknown, code: status): boolean {
  return error instanceof ZorError && error.code === code;
}
