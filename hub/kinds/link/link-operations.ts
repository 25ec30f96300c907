import { status } from "@grpc/grpc-js";
import { ZorError } from "../../../lib/errors.js";
import { pack } from "../../../lib/kinds/resource.js";
import type { OperationContext } from "../../../lib/operations.js";
import { timeLimit } from "../../../lib/time-limit.js";
import type { Any } from "../../../proto/gen/google/protobuf/any.js";
import { type Link, LinkCause, LinkState } from "../../../proto/gen/zor/v1/link.js";
import type { Operation } from "../../../proto/gen/zor/v1/operation.js";
import type { OperationWork } from "../../kit/hub-operations.js";
import type { Store } from "../../store/store.js";
import type { Links } from "./links.js";

/** What link operations work with. */
export interface LinkOperationsOptions {
  readonly store: Store;
  readonly links: Links;
  /** Aborts when the hub ends: operations are then left as they are, for the next run. */
  readonly stop: AbortSignal;
}

/** A link that is not up by then stays declared, but nobody waits for it any longer. */
const createTimeoutMs = 60_000;

/** Waits for links to be up, or gone: the work of the operations that create and delete them. The reconciler makes it so. */
export class LinkOperations implements OperationWork {
  readonly #options: LinkOperationsOptions;
  readonly #refused = new Map<string, (error: ZorError) => void>();

  constructor(options: LinkOperationsOptions) {
    this.#options = options;
  }

  run({ verb, target }: Operation, context: OperationContext): Promise<Any | undefined> {
    return verb === "link.delete" ? this.#delete(target, context) : this.#create(target, context);
  }

  isPending({ target }: Operation): boolean {
    return this.#options.links.find(target) !== undefined;
  }

  isDone({ verb }: Operation): boolean {
    return verb === "link.delete";
  }

  /** A host has refused an end of a link for good: fails the operation that creates it. */
  refuse(name: string, error: ZorError): void {
    this.#refused.get(name)?.(error);
  }

  async #create(name: string, { signal, progress }: OperationContext): Promise<Any> {
    const refused = new AbortController();
    const timeout = timeLimit(createTimeoutMs);
    this.#refused.set(name, (error) => refused.abort(error));
    let shown = "";
    try {
      const up = await this.#options.links.waitFor(name, AbortSignal.any([signal, refused.signal, timeout]), (link) => {
        if (link === undefined || link.status?.state === LinkState.LINK_STATE_DELETING) throw deletedMeanwhile(name);
        const step = stepOf(link);
        if (step !== shown) progress(step, percentOf(link));
        shown = step;
        return isUp(link) ? link : undefined;
      });
      return pack({ kind: "link", value: up });
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
    const { store, links } = this.#options;
    await store.commit(links.planDelete([name]));
    links.markDeleting([name]);
  }

  async #delete(name: string, { signal, progress }: OperationContext): Promise<undefined> {
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
