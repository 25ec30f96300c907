import { status } from "@grpc/grpc-js";
import { Backoff } from "../../../../lib/backoff.js";
import { messageOf, ZorError } from "../../../../lib/errors.js";
import type { Log } from "../../../../lib/log.js";
import { LinkCause, LinkSpec } from "../../../../proto/gen/zor/v1/link.js";
import type { LinkHosts } from "../link-hosts.js";
import type { LinkRecord } from "../link-record.js";
import { placesOf } from "../link-record.js";
import type { Links } from "../links.js";
import type { ObservedEnds } from "../observed/observed-ends.js";
import { isLocal } from "./end-specs.js";
import { type Executors, execute } from "./executors.js";
import { findObstacle } from "./obstacle.js";
import { plan, roleInput, type Step } from "./plan.js";
import type { HostInput, LinkInput, RelayInput } from "./plan-input.js";
import type { Progress } from "./progress.js";

/** What the loop works with. */
export interface ReconcilerOptions {
  readonly hosts: LinkHosts;
  readonly ends: ObservedEnds;
  readonly links: Links;
  readonly progress: Progress;
  readonly executors: Executors;
  /** The hub's relay as it is now; undefined: it has none. */
  readonly relay: () => RelayInput | undefined;
  readonly log: Log;
  /** Told when a host refuses an end in a way that trying again does not help. */
  readonly onRefused: (link: string, error: ZorError) => void;
}

interface Delay {
  readonly backoff: Backoff;
  untilMs: number;
}

/** Changes that come together are planned together. */
const debounceMs = 100;
/** Also looked at without a change: tickets expire, delays pass. */
const tickMs = 2000;

const refusals: ReadonlySet<status> = new Set([
  status.INVALID_ARGUMENT,
  status.NOT_FOUND,
  status.ALREADY_EXISTS,
  status.PERMISSION_DENIED,
  status.FAILED_PRECONDITION,
  status.UNIMPLEMENTED,
]);

/**
 * Brings links to what is declared: plans, and lets one runner per host do that host's steps one after another. A host that
 * is slow holds up nobody else; a step that fails is tried again after a jittered, growing delay, for ever.
 */
export class Reconciler {
  readonly #options: ReconcilerOptions;
  readonly #stop = new AbortController();
  readonly #running = new Map<string, Promise<void>>();
  readonly #delays = new Map<string, Delay>();
  readonly #ticker: NodeJS.Timeout;
  #pending: NodeJS.Timeout | undefined;

  constructor(options: ReconcilerOptions) {
    this.#options = options;
    this.#ticker = setInterval(() => this.trigger(), tickMs);
  }

  /** Something has changed: plans soon. */
  trigger(): void {
    if (this.#stop.signal.aborted || this.#pending !== undefined) return;
    this.#pending = setTimeout(() => {
      this.#pending = undefined;
      this.#pass();
    }, debounceMs);
  }

  /** Stops planning and waits for the steps under way, which are cut short. */
  async close(): Promise<void> {
    clearInterval(this.#ticker);
    clearTimeout(this.#pending);
    this.#stop.abort();
    await Promise.all(this.#running.values());
  }

  #pass(): void {
    const { links, progress } = this.#options;
    const records = links.list();
    const hosts = this.#hosts(records);
    const relay = this.#options.relay();
    const inputs = records.map((record) => this.#linkInput(record, hosts));
    for (const link of inputs) {
      if (!link.deleting) links.setProblem(link.name, findObstacle(link, { hosts, relay }));
    }
    const nowMs = Date.now();
    const steps = plan({ links: inputs, hosts, applied: progress.applied, relay, nowMs });
    const due = steps.filter((step) => (this.#delays.get(keyOf(step))?.untilMs ?? 0) <= nowMs);
    for (const [host, ofHost] of Map.groupBy(due, (step) => step.host)) {
      if (this.#running.has(host)) continue;
      const run = this.#run(ofHost).finally(() => {
        this.#running.delete(host);
        this.trigger();
      });
      this.#running.set(host, run);
    }
  }

  async #run(steps: readonly Step[]): Promise<void> {
    for (const step of steps) {
      if (this.#stop.signal.aborted) return;
      try {
        await execute(this.#options.executors, step, this.#stop.signal);
        this.#delays.delete(keyOf(step));
        if (step.host !== "") this.#options.links.setEndProblem(step.link, step.host, undefined);
      } catch (error) {
        if (this.#stop.signal.aborted) return;
        this.#failed(step, error);
      }
    }
  }

  #failed(step: Step, error: unknown): void {
    const { links, log, onRefused } = this.#options;
    const key = keyOf(step);
    const delay = this.#delays.get(key) ?? { backoff: new Backoff({ minMs: 500, maxMs: 30_000 }), untilMs: 0 };
    delay.untilMs = Date.now() + delay.backoff.nextMs();
    this.#delays.set(key, delay);
    log.warn({ step: step.type, host: step.host, link: step.link, reason: messageOf(error) }, "step failed");
    if (step.host !== "")
      links.setEndProblem(step.link, step.host, { cause: causeOf(error), reason: messageOf(error) });
    if (step.type === "ensureEnd" && error instanceof ZorError && refusals.has(error.code)) onRefused(step.link, error);
  }

  #hosts(records: readonly LinkRecord[]): Map<string, HostInput> {
    const ids = new Set(records.flatMap(({ link }) => Object.values(placesOf(link)).map(({ host }) => host)));
    const { hosts, ends } = this.#options;
    const inputs = new Map<string, HostInput>();
    for (const id of ids) {
      const facts = hosts.find(id);
      if (facts === undefined) continue;
      inputs.set(id, { ...facts, ends: ends.ofHost(id), endsCurrent: ends.isCurrent(id) });
    }
    return inputs;
  }

  #linkInput({ link, deleting, vxlanId }: LinkRecord, hosts: ReadonlyMap<string, HostInput>): LinkInput {
    const { progress } = this.#options;
    const { a, b } = placesOf(link);
    const ends = [a, b].map(({ host }) => hosts.get(host)?.ends.get(link.name));
    if (ends.every((end) => end?.paired === true && !end.needsTicket)) progress.paired(link.name);
    const input: LinkInput = {
      name: link.name,
      uid: link.uid,
      deleting,
      a,
      b,
      spec: link.spec ?? LinkSpec.fromPartial({}),
      vxlanId,
      roles: progress.rolesOf(link.name),
      pairing: progress.pairingOf(link.name),
      gone: progress.goneFrom(link.name, link.uid),
    };
    const [hostA, hostB] = [hosts.get(a.host), hosts.get(b.host)];
    if (deleting || isLocal(input) || hostA === undefined || hostB === undefined) return input;
    return { ...input, roles: progress.observe(link.name, roleInput(input, hostA, hostB)) };
  }
}

/** Why a host could not do what it was asked for. */
function causeOf(error: unknown): LinkCause {
  if (!(error instanceof ZorError)) return LinkCause.LINK_CAUSE_UNSPECIFIED;
  if (error.reason.startsWith("ENGINE_")) return LinkCause.LINK_CAUSE_ENGINE;
  switch (error.code) {
    case status.NOT_FOUND:
      return LinkCause.LINK_CAUSE_LAN_GONE;
    case status.PERMISSION_DENIED:
    case status.FAILED_PRECONDITION:
      return LinkCause.LINK_CAUSE_POLICY;
    case status.UNIMPLEMENTED:
      return LinkCause.LINK_CAUSE_VERSION;
    case status.UNAVAILABLE:
    case status.DEADLINE_EXCEEDED:
      return LinkCause.LINK_CAUSE_HOST;
    default:
      return LinkCause.LINK_CAUSE_UNSPECIFIED;
  }
}

function keyOf(step: Step): string {
  return `${step.type} ${step.host} ${step.link}`;
}
