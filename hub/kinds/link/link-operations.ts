import { randomUUID } from "node:crypto";
import { status } from "@grpc/grpc-js";
import { resourceExhausted, ZorError } from "../../../lib/errors.js";
import type { OperationContext, Operations } from "../../../lib/operations.js";
import { type Link, LinkCause, LinkState } from "../../../proto/gen/zor/v1/link.js";
import { type Operation, OperationState } from "../../../proto/gen/zor/v1/operation.js";
import { putOperation } from "../../kit/stored-operations.js";
import type { Change, Store } from "../../store/store.js";
import { type LinkRecord, putLink } from "./link-record.js";
import type { Links } from "./links.js";

/** Who asked for a change of a link. */
export interface LinkRequester {
  readonly requestId: string;
  /** Identity of the caller. */
  readonly caller: string;
}

/** Makes the changes durable, together with the answer that tells of the operation. */
export type CommitOperation<Answer> = (changes: readonly Change[], operation: Operation) => Promise<Answer>;

/** What link operations work with. */
export interface LinkOperationsOptions {
  readonly store: Store;
  readonly links: Links;
  readonly operations: Operations;
  /** Told to look at the links again. */
  readonly trigger: () => void;
  /** Aborts when the hub ends: operations are then left as they are, for the next run. */
  readonly stop: AbortSignal;
}

/** A link that is not up by then stays declared, but nobody waits for it any longer. */
const createTimeoutMs = 60_000;
/** Less than the 1000 that {@link Operations} runs: calls that are being stored at the same time need room too. */
const maxRunning = 900;

/** Creates and deletes links as operations that survive the hub. */
export class LinkOperations {
  readonly #options: LinkOperationsOptions;
  readonly #refused = new Map<string, (error: ZorError) => void>();

  constructor(options: LinkOperationsOptions) {
    this.#options = options;
  }

  /** Stores a new link and begins to set it up. Both are durable when this resolves. */
  async create<Answer>(record: LinkRecord, requester: LinkRequester, commit: CommitOperation<Answer>): Promise<Answer> {
    this.#checkRoom();
    const planned = plannedOperation("link.create", record.link.name, requester);
    const answer = await commit([putLink(record, 0n), putOperation(planned)], planned);
    this.#options.links.put(record);
    this.#begin(planned);
    return answer;
  }

  /** Marks a link as being deleted and begins to remove its ends. Both are durable when this resolves. */
  async delete<Answer>(name: string, requester: LinkRequester, commit: CommitOperation<Answer>): Promise<Answer> {
    this.#checkRoom();
    const planned = plannedOperation("link.delete", name, requester);
    const answer = await commit([...this.#options.links.planDelete([name]), putOperation(planned)], planned);
    this.#options.links.markDeleting([name]);
    this.#begin(planned);
    return answer;
  }

  /** Carries on an operation that an earlier run of the hub left unfinished. */
  resume(operation: Operation): void {
    this.#begin(operation);
  }

  /** A host has refused an end of a link for good: fails the operation that creates it. */
  refuse(name: string, error: ZorError): void {
    this.#refused.get(name)?.(error);
  }

  // Before anything is stored: an operation that is stored must also begin.
  #checkRoom(): void {
    const { operations } = this.#options;
    const running = operations.list().filter(({ state }) => state === OperationState.OPERATION_STATE_RUNNING);
    if (running.length < maxRunning) return;
    throw resourceExhausted(
      "TOO_MANY_OPERATIONS",
      `${running.length} operations on links run already; try again later`,
    );
  }

  #begin(planned: Operation): void {
    const { operations, trigger } = this.#options;
    const work = planned.verb === "link.delete" ? this.#delete : this.#create;
    operations.start({
      verb: planned.verb,
      target: planned.target,
      requestId: planned.requestId,
      caller: planned.caller,
      id: planned.name.slice("operations/".length),
      work: (context) => work.call(this, planned.target, context),
    });
    trigger();
  }

  async #create(name: string, { signal, progress }: OperationContext): Promise<void> {
    const refused = new AbortController();
    const timeout = AbortSignal.timeout(createTimeoutMs);
    this.#refused.set(name, (error) => refused.abort(error));
    let shown = "";
    try {
      await this.#options.links.waitFor(name, AbortSignal.any([signal, refused.signal, timeout]), (link) => {
        if (link === undefined || link.status?.state === LinkState.LINK_STATE_DELETING) throw deletedMeanwhile(name);
        const step = stepOf(link);
        if (step !== shown) progress(step, percentOf(link));
        shown = step;
        return isUp(link) ? link : undefined;
      });
    } catch (error) {
      if (this.#options.stop.aborted) throw error;
      if (timeout.aborted && !refused.signal.aborted && !signal.aborted) {
        throw notYetActive(name, this.#options.links.view(name)?.status?.reason ?? "");
      }
      // Refused for good, or cancelled: what was begun is taken back.
      if (refused.signal.aborted || signal.aborted) await this.#undo(name);
      throw refused.signal.aborted ? refused.signal.reason : error;
    } finally {
      this.#refused.delete(name);
    }
  }

  async #undo(name: string): Promise<void> {
    const { store, links, trigger } = this.#options;
    await store.commit(links.planDelete([name]));
    links.markDeleting([name]);
    trigger();
  }

  async #delete(name: string, { signal, progress }: OperationContext): Promise<void> {
    await this.#options.links.waitFor(name, signal, (link) => {
      if (link === undefined) return true;
      progress(link.status?.reason ?? "removing its ends", 50);
      return undefined;
    });
  }
}

/** Frames cross both ways, if not as well as they should, or as was asked for. */
function isUp({ status: current }: Link): boolean {
  if (current?.state === LinkState.LINK_STATE_ACTIVE) return true;
  return current?.state === LinkState.LINK_STATE_DEGRADED && poor.has(current.cause);
}

const poor: ReadonlySet<LinkCause> = new Set([
  LinkCause.LINK_CAUSE_LOSS,
  LinkCause.LINK_CAUSE_LATENCY,
  LinkCause.LINK_CAUSE_RELAYED,
  LinkCause.LINK_CAUSE_IMPAIRED,
]);

function plannedOperation(verb: string, target: string, { requestId, caller }: LinkRequester): Operation {
  const now = new Date();
  return {
    name: `operations/${randomUUID()}`,
    verb,
    target,
    state: OperationState.OPERATION_STATE_RUNNING,
    step: "begun",
    progressPercent: 0,
    error: undefined,
    requestId,
    createTime: now,
    updateTime: now,
    result: undefined,
    caller,
  };
}

function stepOf({ status: current }: Link): string {
  return current?.reason === undefined || current.reason === "" ? "connecting" : current.reason;
}

function percentOf({ status: current }: Link): number {
  if (current?.state === LinkState.LINK_STATE_PROBING) return 80;
  const prepared = [current?.endA, current?.endB].filter((end) => end !== undefined).length;
  return 10 + prepared * 25;
}

function notYetActive(name: string, reason: string): ZorError {
  return new ZorError({
    reason: "LINK_NOT_ACTIVE",
    code: status.DEADLINE_EXCEEDED,
    message: `${name} is not active after ${createTimeoutMs / 1000} s (${reason}); it stays declared and is tried again; watch it with "zor get links --watch", or delete it`,
    resource: name,
  });
}

function deletedMeanwhile(name: string): ZorError {
  return new ZorError({
    reason: "LINK_DELETED",
    code: status.ABORTED,
    message: `${name} was deleted before it was active`,
    resource: name,
  });
}
