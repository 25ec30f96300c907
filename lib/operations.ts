import { randomUUID } from "node:crypto";
import { status } from "@grpc/grpc-js";
import type { Any } from "../proto/gen/google/protobuf/any.js";
import { type Operation, OperationState } from "../proto/gen/zor/v1/operation.js";
import { failedPrecondition, notFound, resourceExhausted, ZorError } from "./errors.js";
import { nothingToTell, onTrail } from "./events/call-trail.js";
import { toStatus } from "./grpc/status-codec.js";
import { timeLimit } from "./time-limit.js";
import { asSpan } from "./traces/span.js";

/** What an operation's work is given. */
export interface OperationContext {
  /** Aborts when a client cancels, or the program ends. The work undoes what it began and then throws. */
  readonly signal: AbortSignal;
  /** Tells the step under way and percent done (0 to 100). */
  readonly progress: (step: string, percent: number) => void;
}

/** What begins an operation. */
export interface OperationStart {
  /** For example "instance.create". */
  readonly verb: string;
  readonly target: string;
  readonly requestId: string;
  /** Identity of the caller. */
  readonly caller: string;
  /** For example the id a resumed operation had; default: a new one. */
  readonly id?: string;
  /** What it resolves to, if anything, is the operation's result: the resource that was made or changed, packed. */
  readonly work: (context: OperationContext) => Promise<Any | undefined> | Promise<void>;
}

/** What operations are kept with. */
export interface OperationsOptions {
  /** "operations" of a hub, "hosts/{host}/operations" of an agent. */
  readonly prefix: string;
  /** Told of every change. */
  readonly publish: (operation: Operation) => void;
  /** Told when an old one is dropped. */
  readonly forget: (name: string) => void;
  /** Told of each that has ended, and whether an event of its caller tells what it has done. */
  readonly ended?: (operation: Operation, isTold: boolean) => void;
}

interface Entry {
  operation: Operation;
  readonly abort: AbortController;
  readonly done: Promise<void>;
}

const maxRunning = 1000;
const keepMs = 60 * 60 * 1000;
const maxKept = 5000;

/** The operations of a program: begun, observed, cancelled, and kept for at least an hour (5000 at most) after they end. */
export class Operations {
  readonly #prefix: string;
  readonly #publish: (operation: Operation) => void;
  readonly #forget: (name: string) => void;
  readonly #ended: OperationsOptions["ended"];
  readonly #entries = new Map<string, Entry>();

  constructor(options: OperationsOptions) {
    this.#ended = options.ended;
    this.#prefix = options.prefix;
    this.#publish = options.publish;
    this.#forget = options.forget;
  }

  /** Begins work and returns at once. @throws {ZorError} RESOURCE_EXHAUSTED when too much runs. */
  start(options: OperationStart): Operation {
    this.#dropOld();
    const running = [...this.#entries.values()].filter(
      (entry) => entry.operation.state === OperationState.OPERATION_STATE_RUNNING,
    );
    if (running.length >= maxRunning)
      throw resourceExhausted("TOO_MANY_OPERATIONS", `${maxRunning} operations run already; try again later`);
    const now = new Date();
    const operation: Operation = {
      name: `${this.#prefix}/${options.id ?? randomUUID()}`,
      verb: options.verb,
      target: options.target,
      state: OperationState.OPERATION_STATE_RUNNING,
      step: "begun",
      progressPercent: 0,
      error: undefined,
      requestId: options.requestId,
      createTime: now,
      updateTime: now,
      caller: options.caller,
      result: undefined,
    };
    const abort = new AbortController();
    const { promise: done, resolve } = Promise.withResolvers<void>();
    const entry: Entry = { operation, abort, done };
    this.#entries.set(operation.name, entry);
    this.#publish(operation);
    // It tells of itself when it ends.
    nothingToTell();
    void this.#run(entry, options.work).then(resolve);
    return operation;
  }

  /** Takes in an operation of an earlier run of the program, which has ended. */
  restore(operation: Operation): void {
    this.#entries.set(operation.name, { operation, abort: new AbortController(), done: Promise.resolve() });
    this.#publish(operation);
  }

  find(name: string): Operation | undefined {
    return this.#entries.get(name)?.operation;
  }

  list(): Operation[] {
    return [...this.#entries.values()].map((entry) => entry.operation);
  }

  /** Asks an operation to stop; it may still run when this returns. @throws {ZorError} NOT_FOUND, or FAILED_PRECONDITION when it has ended. */
  cancel(name: string): Operation {
    const entry = this.#get(name);
    if (entry.operation.state !== OperationState.OPERATION_STATE_RUNNING) {
      throw failedPrecondition("OPERATION_ENDED", name, `${name} has ended already; there is nothing to cancel`);
    }
    entry.abort.abort();
    return entry.operation;
  }

  /** Resolves when the operation has ended, `timeoutMs` has passed or the signal aborts. @throws {ZorError} NOT_FOUND. */
  async wait(name: string, timeoutMs: number, signal: AbortSignal): Promise<Operation> {
    const entry = this.#get(name);
    const timeout = AbortSignal.any([signal, timeLimit(timeoutMs)]);
    const { promise: ended, resolve } = Promise.withResolvers<void>();
    const onAbort = (): void => resolve();
    timeout.addEventListener("abort", onAbort, { once: true });
    await Promise.race([entry.done, ended]);
    timeout.removeEventListener("abort", onAbort);
    return entry.operation;
  }

  /** Aborts everything and waits until it has ended; for the end of the program. */
  async close(): Promise<void> {
    const entries = [...this.#entries.values()];
    for (const entry of entries) entry.abort.abort();
    await Promise.all(entries.map((entry) => entry.done));
  }

  async #run(entry: Entry, work: OperationStart["work"]): Promise<void> {
    const progress = (step: string, percent: number): void => {
      const bounded = Math.max(0, Math.min(99, Math.round(percent)));
      this.#change(entry, { step, progressPercent: bounded });
    };
    const trail = { caller: entry.operation.caller, isTold: false, isPassedOn: false };
    try {
      const { verb, target, name } = entry.operation;
      const attributes = { "zor.operation": name, "zor.resource": target };
      const made = await asSpan({ name: `operation ${verb}`, kind: "internal", attributes }, () =>
        onTrail(trail, async () => work({ signal: entry.abort.signal, progress })),
      );
      // Work that promises nothing may resolve to something all the same.
      const result = typeof made === "object" && "typeUrl" in made ? made : undefined;
      const state = OperationState.OPERATION_STATE_SUCCEEDED;
      this.#change(entry, { state, step: "done", progressPercent: 100, result });
    } catch (error) {
      const cancelled = entry.abort.signal.aborted;
      const shown = cancelled ? cancelledError(entry.operation) : error;
      const state = cancelled ? OperationState.OPERATION_STATE_CANCELLED : OperationState.OPERATION_STATE_FAILED;
      this.#change(entry, { state, error: toStatus(shown) });
    }
    this.#ended?.(entry.operation, trail.isTold);
  }

  #change(entry: Entry, change: Partial<Operation>): void {
    entry.operation = { ...entry.operation, ...change, updateTime: new Date() };
    this.#publish(entry.operation);
  }

  #get(name: string): Entry {
    const entry = this.#entries.get(name);
    if (entry === undefined) throw notFound(name, "operations are kept for an hour after they end");
    return entry;
  }

  #dropOld(): void {
    const limit = Date.now() - keepMs;
    let surplus = this.#entries.size - maxKept;
    for (const [name, { operation }] of this.#entries) {
      const ended = operation.state !== OperationState.OPERATION_STATE_RUNNING;
      const old = (operation.updateTime?.getTime() ?? 0) < limit;
      if (!ended || !(old || surplus > 0)) continue;
      this.#entries.delete(name);
      surplus -= 1;
      this.#forget(name);
    }
  }
}

function cancelledError(operation: Operation): ZorError {
  return new ZorError({
    reason: "CANCELLED",
    code: status.CANCELLED,
    message: `${operation.verb} of ${operation.target} was cancelled`,
    resource: operation.target,
  });
}

/** An operation that can no longer be carried on. @param message why, and what to do. */
export function abandoned(operation: Operation, message: string, now: Date): Operation {
  const error = new ZorError({
    reason: "OPERATION_ABANDONED",
    code: status.ABORTED,
    message,
    resource: operation.target,
  });
  return { ...operation, state: OperationState.OPERATION_STATE_FAILED, error: toStatus(error), updateTime: now };
}
