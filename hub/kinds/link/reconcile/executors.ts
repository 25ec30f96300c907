import { randomBytes } from "node:crypto";
import { CableServiceService } from "../../../../proto/gen/zor/agent/v1/cable_service.js";
import type { Fleet } from "../../../fleet/fleet.js";
import type { Store } from "../../../store/store.js";
import { removeLink } from "../link-record.js";
import type { Links } from "../links.js";
import type { ObservedEnds } from "../observed/observed-ends.js";
import { fingerprintOf } from "./end-specs.js";
import { endKey, type Step, ticketTtlSeconds } from "./plan.js";
import type { Progress } from "./progress.js";

/** What executors work with. */
export interface ExecutorOptions {
  readonly fleet: Fleet;
  readonly ends: ObservedEnds;
  readonly links: Links;
  readonly store: Store;
  readonly progress: Progress;
  /** Told the uid of a link that is no more. */
  readonly onForgotten: (linkUid: string) => void;
}

/** One executor for every type of step: a missing one does not compile. */
export type Executors = {
  readonly [Type in Step["type"]]: (step: Extract<Step, { type: Type }>, signal: AbortSignal) => Promise<void>;
};

/** An agent sets up an end within this time or the step is tried again. */
const stepTimeoutMs = 20_000;

/** How each step is done. Every one is idempotent: after a crash in the middle the next plan does the rest. */
export function createExecutors({ fleet, ends, links, store, progress, onForgotten }: ExecutorOptions): Executors {
  return {
    async newTicket({ link }) {
      progress.newPairing(link, randomBytes(32), ticketTtlSeconds * 1000);
    },

    async swapRoles({ link, listener }) {
      progress.swapRoles(link, listener);
    },

    async ensureEnd({ host, link, spec }, signal) {
      const agent = fleet.agent(host);
      const { status } = await agent.connection.unary(
        CableServiceService.ensureEnd,
        { end: spec },
        { timeoutMs: stepTimeoutMs, signal: AbortSignal.any([signal, agent.signal]) },
      );
      progress.applied.set(endKey(host, link), fingerprintOf(spec));
      if (spec.ticket.length > 0) progress.given(link, host);
      if (status !== undefined) ends.set(host, status);
    },

    async deleteEnd({ host, link, uid }, signal) {
      const agent = fleet.agent(host);
      await agent.connection.unary(
        CableServiceService.deleteEnd,
        { link, linkUid: uid },
        { timeoutMs: stepTimeoutMs, signal: AbortSignal.any([signal, agent.signal]) },
      );
      progress.applied.delete(endKey(host, link));
      progress.gone(link, uid, host);
      ends.delete(host, link);
    },

    async forgetLink({ link }) {
      await store.commit([removeLink(link)]);
      progress.forget(link);
      onForgotten(links.find(link)?.link.uid ?? "");
      links.forget(link);
    },
  };
}

/** Does a step. */
export async function execute(executors: Executors, step: Step, signal: AbortSignal): Promise<void> {
  switch (step.type) {
    case "newTicket":
      return executors.newTicket(step, signal);
    case "swapRoles":
      return executors.swapRoles(step, signal);
    case "ensureEnd":
      return executors.ensureEnd(step, signal);
    case "deleteEnd":
      return executors.deleteEnd(step, signal);
    case "forgetLink":
      return executors.forgetLink(step, signal);
  }
}
