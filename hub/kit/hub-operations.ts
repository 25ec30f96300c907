import { randomUUID } from "node:crypto";
import { resourceExhausted } from "../../lib/errors.js";
import type { CallAudit } from "../../lib/events/call-audit.js";
import type { Log } from "../../lib/log.js";
import { abandoned, type OperationContext, Operations } from "../../lib/operations.js";
import type { Any } from "../../proto/gen/google/protobuf/any.js";
import { Operation, OperationState } from "../../proto/gen/zor/v1/operation.js";
import type { Change, Store } from "../store/store.js";
import type { Inventory } from "./inventory.js";
import { loadOperations, putOperation } from "./stored-operations.js";

/** What an operation is to do. */
export interface PlannedOperation {
  /** For example "link.create". */
  readonly verb: string;
  /** Name of the resource. */
  readonly target: string;
  readonly requestId: string;
  /** Identity of the caller. */
  readonly caller: string;
}

/** The work of the operations of a kind. */
export interface OperationWork {
  /**
   * Begins, or after a restart of the hub carries on, the work of an operation, and gives its result. Idempotent.
   * @throws what makes the operation fail; when `stop` of the hub has aborted, whatever it throws leaves the operation for the next run.
   */
  run(operation: Operation, context: OperationContext): Promise<Any | undefined>;
  /** Whether an operation of an earlier run has still something to do. */
  isPending(operation: Operation): boolean;
  /** Of one that has not: whether what it was to do is done; else it is told as abandoned. */
  isDone(operation: Operation): boolean;
}

/** What the operations work with. */
export interface HubOperationsOptions {
  readonly store: Store;
  readonly inventory: Inventory;
  readonly log: Log;
  /** Told of what has ended; default: nobody. */
  readonly audit?: CallAudit;
  /** Aborts when the hub ends: operations are then left as they are, for the next run. */
  readonly stop: AbortSignal;
}

/** Less than the 1000 that {@link Operations} runs: calls that are being stored at the same time need room too. */
const maxRunning = 900;

/** The hub's own operations: they are stored before they begin, and survive the hub. */
export class HubOperations {
  readonly #options: HubOperationsOptions;
  readonly #running: Operations;
  readonly #work = new Map<string, OperationWork>();

  constructor(options: HubOperationsOptions) {
    this.#options = options;
    this.#running = new Operations({
      prefix: "operations",
      publish: (operation) => this.#publish(operation),
      forget: (name) => options.inventory.log.remove("operation", name),
      ended: (operation, isTold) => this.#ended(operation, isTold),
    });
  }

  /** How operations of a kind are done; their verbs begin with its singular. */
  addWork(kind: string, work: OperationWork): void {
    this.#work.set(kind, work);
  }

  /**
   * Makes an operation durable together with what it begins with, and then begins it.
   * @param commit makes the changes and the answer that tells of the operation durable. @param begun is called between the two.
   * @throws {ZorError} RESOURCE_EXHAUSTED when too much runs; nothing is stored then.
   */
  async begin<Answer>(
    planned: PlannedOperation,
    commit: (changes: readonly Change[], operation: Operation) => Promise<Answer>,
    begun: () => void,
  ): Promise<Answer> {
    this.#checkRoom();
    const now = new Date();
    const operation = Operation.fromPartial({
      ...planned,
      name: `operations/${randomUUID()}`,
      state: OperationState.OPERATION_STATE_RUNNING,
      step: "begun",
      createTime: now,
      updateTime: now,
    });
    const answer = await commit([putOperation(operation)], operation);
    begun();
    this.#start(operation);
    return answer;
  }

  /** Reads what an earlier run left, forgets what is old, and carries on what had not ended; when all kinds are there. */
  async resume(): Promise<void> {
    const { store, inventory } = this.#options;
    const { unfinished, finished } = await loadOperations(store, new Date());
    for (const operation of finished) inventory.upsert({ kind: "operation", value: operation });
    for (const operation of unfinished) {
      const work = this.#workOf(operation);
      if (work?.isPending(operation) === true) this.#start(operation);
      else this.#settle(work?.isDone(operation) === true ? done(operation) : lost(operation));
    }
  }

  find(name: string): Operation | undefined {
    return this.#running.find(name);
  }

  /** Asks an operation to stop. @throws {ZorError} NOT_FOUND, or FAILED_PRECONDITION when it has ended. */
  cancel(name: string): Operation {
    return this.#running.cancel(name);
  }

  /** Resolves when the operation has ended, `timeoutMs` has passed or the signal aborts. @throws {ZorError} NOT_FOUND. */
  wait(name: string, timeoutMs: number, signal: AbortSignal): Promise<Operation> {
    return this.#running.wait(name, timeoutMs, signal);
  }

  close(): Promise<void> {
    return this.#running.close();
  }

  #start(operation: Operation): void {
    const { verb, target, requestId, caller, name } = operation;
    this.#running.start({
      ...{ verb, target, requestId, caller },
      id: name.slice("operations/".length),
      work: async (context) => this.#workOf(operation)?.run(operation, context),
    });
  }

  #workOf({ verb }: Operation): OperationWork | undefined {
    return this.#work.get(verb.slice(0, verb.indexOf(".")));
  }

  // Before anything is stored: an operation that is stored must also begin.
  #checkRoom(): void {
    const running = this.#running.list().filter(({ state }) => state === OperationState.OPERATION_STATE_RUNNING);
    if (running.length < maxRunning) return;
    throw resourceExhausted("TOO_MANY_OPERATIONS", `${running.length} operations run already; try again later`);
  }

  #settle(operation: Operation): void {
    this.#publish(operation);
    this.#ended(operation, false);
  }

  #ended(operation: Operation, isTold: boolean): void {
    const { audit, stop } = this.#options;
    // What ends because the hub ends is carried on by the next run.
    if (!stop.aborted) audit?.ended(operation, isTold);
  }

  #publish(operation: Operation): void {
    const { store, inventory, log, stop } = this.#options;
    inventory.upsert({ kind: "operation", value: operation });
    // Operations that end because the hub ends are carried on by the next run.
    if (operation.state === OperationState.OPERATION_STATE_RUNNING || stop.aborted) return;
    store
      .commit([putOperation(operation)])
      .catch((error: unknown) => log.error({ err: error }, "cannot store the end of an operation"));
  }
}

function done(operation: Operation): Operation {
  return { ...operation, state: OperationState.OPERATION_STATE_SUCCEEDED, step: "done", progressPercent: 100 };
}

// What it was about went just before its end could be written.
function lost(operation: Operation): Operation {
  const message = `${operation.target} is gone; the hub was restarted before ${operation.verb} ended`;
  return abandoned(operation, message, new Date());
}
