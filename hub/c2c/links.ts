import type { WatchLog } from "../../lib/watch/watch-log.js";
import { HostState } from "../../proto/gen/zor/v1/host.js";
import { type Link, LinkState, type LinkStatus } from "../../proto/gen/zor/v1/link.js";
import { EventSeverity, ResourceKind } from "../../proto/gen/zor/v1/watch_service.js";
import type { Fleet } from "../hosts/fleet.js";
import type { Inventory } from "../state/inventory.js";
import type { Change } from "../store/store.js";
import { type LinkRecord, placesOf, putLink } from "./link-record.js";
import { type EndView, mergeLink } from "./merge.js";
import type { ObservedEnds } from "./observed-ends.js";

/** What links are made from. */
export interface LinksOptions {
  readonly inventory: Inventory;
  readonly ends: ObservedEnds;
  /** Read when it is needed: fleet and links know each other. */
  readonly fleet: () => Fleet;
}

/** What the reconciler found out about a link. */
interface Problems {
  /** Why it cannot be set up at all. */
  whole: string;
  /** By host id: why its end could not be prepared. */
  readonly ends: Map<string, string>;
}

/** The declared links and, merged from what both hosts tell, their state. */
export class Links {
  readonly #options: LinksOptions;
  readonly #records = new Map<string, LinkRecord>();
  readonly #problems = new Map<string, Problems>();
  readonly #waiters = new Set<(name: string) => void>();

  constructor(options: LinksOptions) {
    this.#options = options;
  }

  find(name: string): LinkRecord | undefined {
    return this.#records.get(name);
  }

  list(): readonly LinkRecord[] {
    return [...this.#records.values()];
  }

  /** Names of links that end on a host and are not being deleted. */
  onHost(host: string): string[] {
    return this.list()
      .filter(({ link, deleting }) => {
        const { a, b } = placesOf(link);
        return !deleting && (a.host === host || b.host === host);
      })
      .map(({ link }) => link.name);
  }

  /** A link with its state as it is now. */
  view(name: string): Link | undefined {
    return this.#options.inventory.log.find("link", name);
  }

  /** Takes in a link that is stored, new or changed. */
  put(record: LinkRecord): void {
    this.#records.set(record.link.name, record);
    this.refresh([record.link.name]);
  }

  /** The changes that mark links as being deleted; commit them, then call {@link markDeleting}. */
  planDelete(names: readonly string[]): Change[] {
    return this.#found(names).map((record) => putLink({ ...record, deleting: true }));
  }

  markDeleting(names: readonly string[]): void {
    for (const record of this.#found(names)) this.put({ ...record, deleting: true });
  }

  /** Takes out a link that is no longer stored. */
  forget(name: string): void {
    this.#records.delete(name);
    this.#problems.delete(name);
    this.#options.inventory.log.remove(ResourceKind.RESOURCE_KIND_LINK, name);
    for (const waiter of [...this.#waiters]) waiter(name);
  }

  /** Notes why an end could not be prepared; empty: it could. */
  setEndProblem(name: string, host: string, problem: string): void {
    const problems = this.#problemsOf(name);
    if ((problems.ends.get(host) ?? "") === problem) return;
    problems.ends.set(host, problem);
    this.refresh([name]);
  }

  /** Notes why a link cannot be set up at all; empty: it can. */
  setProblem(name: string, problem: string): void {
    const problems = this.#problemsOf(name);
    if (problems.whole === problem) return;
    problems.whole = problem;
    this.refresh([name]);
  }

  /** Makes the state of links anew from what is known and tells whoever waits. */
  refresh(names: Iterable<string>): void {
    const now = new Date();
    for (const name of names) {
      const record = this.#records.get(name);
      if (record === undefined) continue;
      const previous = this.view(name)?.status;
      const status = this.#merge(record, previous, now);
      this.#options.inventory.upsert({ $case: "link", value: { ...record.link, status } });
      if (previous !== undefined && previous.state !== status.state)
        recordChange(this.#options.inventory.log, name, status);
      for (const waiter of [...this.#waiters]) waiter(name);
    }
  }

  /**
   * Resolves with the first thing `look` finds in a link (undefined: it is gone) that is not undefined.
   * @throws the signal's reason, or what `look` throws.
   */
  async waitFor<T>(name: string, signal: AbortSignal, look: (link: Link | undefined) => T | undefined): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const waiter = (changed: string): void => {
      if (changed !== name) return;
      try {
        const found = look(this.view(name));
        if (found !== undefined) resolve(found);
      } catch (error) {
        reject(error);
      }
    };
    const onAbort = (): void => reject(signal.reason);
    this.#waiters.add(waiter);
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      if (signal.aborted) onAbort();
      else waiter(name);
      return await promise;
    } finally {
      this.#waiters.delete(waiter);
      signal.removeEventListener("abort", onAbort);
    }
  }

  #merge({ link, deleting }: LinkRecord, previous: LinkStatus | undefined, now: Date): LinkStatus {
    const { a, b } = placesOf(link);
    const problems = this.#problems.get(link.name);
    const { spec } = link;
    return mergeLink({
      deleting,
      a: this.#viewEnd(link, a.host, spec?.a ?? "", problems),
      b: this.#viewEnd(link, b.host, spec?.b ?? "", problems),
      problem: problems?.whole ?? "",
      previous,
      now,
    });
  }

  #viewEnd(link: Link, host: string, lan: string, problems: Problems | undefined): EndView {
    const known = this.#options.ends.find(host, link.name);
    const current = this.#options.ends.isCurrent(host);
    return {
      host: `hosts/${host}`,
      lan,
      // An end of an older link of the same name says nothing about this one.
      end: known?.linkUid === link.uid ? known.end : undefined,
      current,
      absence: current ? "" : this.#absence(host),
      problem: problems?.ends.get(host) ?? "",
    };
  }

  #absence(id: string): string {
    const fleet = this.#options.fleet();
    if (fleet.find(id) === undefined) return `hosts/${id} is not registered`;
    const { state, lastSeenTime } = fleet.get(id, new Date());
    if (state === HostState.HOST_STATE_READY) return `hosts/${id} does not tell of its cables`;
    const name = HostState[state].replace("HOST_STATE_", "").toLowerCase();
    return lastSeenTime === undefined
      ? `hosts/${id} is ${name}`
      : `hosts/${id} is ${name}, last seen at ${lastSeenTime.toISOString()}`;
  }

  #problemsOf(name: string): Problems {
    const problems = this.#problems.get(name) ?? { whole: "", ends: new Map() };
    this.#problems.set(name, problems);
    return problems;
  }

  #found(names: readonly string[]): LinkRecord[] {
    return names.map((name) => this.#records.get(name)).filter((record) => record !== undefined);
  }
}

function recordChange(log: WatchLog, name: string, { state, reason }: LinkStatus): void {
  const short = LinkState[state].replace("LINK_STATE_", "").toLowerCase();
  const bad = state === LinkState.LINK_STATE_DOWN || state === LinkState.LINK_STATE_DEGRADED;
  log.recordEvent("events", {
    severity: bad ? EventSeverity.EVENT_SEVERITY_WARNING : EventSeverity.EVENT_SEVERITY_INFO,
    type: `link.${short}`,
    resource: name,
    message: reason === "" ? `${name} is ${short}` : `${name} is ${short}: ${reason}`,
    caller: "",
  });
}
