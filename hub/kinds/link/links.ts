import { HostState } from "../../../proto/gen/zor/v1/host.js";
import type { Link, LinkStatus } from "../../../proto/gen/zor/v1/link.js";
import type { Fleet } from "../../fleet/fleet.js";
import type { Inventory } from "../../kit/inventory.js";
import type { Dependents } from "../../kit/references.js";
import type { Remarks } from "../../kit/remarks.js";
import type { Change } from "../../store/store.js";
import type { LinkHosts } from "./link-hosts.js";
import { type LinkRecord, placesOf, putLink } from "./link-record.js";
import { blockedOf } from "./observed/blocked.js";
import { recordLinkChange } from "./observed/link-events.js";
import { type EndView, mergeLink, type Problem } from "./observed/merge.js";
import type { ObservedEnds } from "./observed/observed-ends.js";
import { QualityBook } from "./observed/quality-book.js";

/** What links are made from. */
export interface LinksOptions {
  readonly inventory: Inventory;
  readonly ends: ObservedEnds;
  readonly fleet: Fleet;
  readonly hosts: LinkHosts;
  readonly remarks: Remarks;
  /** Bytes relayed for a link, by its uid. */
  readonly relayedBytes: (linkUid: string) => bigint;
}

/** What the reconciler found out about a link. */
interface Problems {
  /** Why it cannot be set up at all. */
  whole: Problem | undefined;
  /** By host id: why its end could not be prepared. */
  readonly ends: Map<string, Problem>;
}

/** The declared links and, merged from what both hosts tell, their state. */
export class Links {
  readonly #options: LinksOptions;
  readonly #records = new Map<string, LinkRecord>();
  readonly #byUid = new Map<string, string>();
  readonly #problems = new Map<string, Problems>();
  readonly #quality = new QualityBook();
  readonly #listeners: (() => void)[] = [];
  readonly #waiters = new Set<(name: string) => void>();

  constructor(options: LinksOptions) {
    this.#options = options;
  }

  /** Calls back when another link is declared, or one is declared otherwise. */
  onDesired(listener: () => void): void {
    this.#listeners.push(listener);
  }

  find(name: string): LinkRecord | undefined {
    return this.#records.get(name);
  }

  findByUid(uid: string): LinkRecord | undefined {
    const name = this.#byUid.get(uid);
    return name === undefined ? undefined : this.#records.get(name);
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

  /** A link with its state as it will be once it is declared so, as far as that is known. */
  preview(record: LinkRecord): Link {
    return { ...record.link, status: this.#merge(record, this.view(record.link.name)?.status, new Date(), "preview") };
  }

  /** Takes in a link that is stored, new or changed. */
  put(record: LinkRecord): void {
    this.#records.set(record.link.name, record);
    this.#byUid.set(record.link.uid, record.link.name);
    this.refresh([record.link.name]);
    for (const listener of this.#listeners) listener();
  }

  /** Links cannot be without the hosts at their ends. */
  readonly dependents: Dependents = {
    of: (name) => this.onHost(name.slice("hosts/".length)),
    planRemoval: (names) => this.planDelete(names),
    removed: (names) => this.markDeleting(names),
  };

  /** The changes that mark links as being deleted; commit them, then call {@link markDeleting}. */
  planDelete(names: readonly string[]): Change[] {
    return this.#found(names).map((record) => putLink({ ...record, deleting: true }));
  }

  markDeleting(names: readonly string[]): void {
    for (const record of this.#found(names)) this.put({ ...record, deleting: true });
  }

  /** Takes out a link that is no longer stored. */
  forget(name: string): void {
    this.#byUid.delete(this.#records.get(name)?.link.uid ?? "");
    this.#records.delete(name);
    this.#problems.delete(name);
    this.#quality.forget(name);
    this.#options.inventory.log.remove("link", name);
    for (const waiter of [...this.#waiters]) waiter(name);
  }

  /** Notes why an end could not be prepared; undefined: it could. */
  setEndProblem(name: string, host: string, problem: Problem | undefined): void {
    const problems = this.#problemsOf(name);
    if (problems.ends.get(host)?.reason === problem?.reason) return;
    if (problem === undefined) problems.ends.delete(host);
    else problems.ends.set(host, problem);
    this.refresh([name]);
  }

  /** Why the end on a host could not be prepared, for people; empty: it could, or was not tried. */
  problemOf(name: string, host: string): string {
    return this.#problems.get(name)?.ends.get(host)?.reason ?? "";
  }

  /** Notes why a link cannot be set up at all; undefined: it can. */
  setProblem(name: string, problem: Problem | undefined): void {
    const problems = this.#problemsOf(name);
    if (problems.whole?.reason === problem?.reason) return;
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
      const link: Link = { ...record.link, status };
      this.#options.inventory.upsert({ kind: "link", value: link });
      if (previous !== undefined) recordLinkChange(this.#options.inventory.log, name, previous, status);
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

  #merge(
    { link, deleting }: LinkRecord,
    previous: LinkStatus | undefined,
    now: Date,
    how: "look" | "preview" = "look",
  ): LinkStatus {
    const { name, spec } = link;
    const places = placesOf(link);
    const problems = this.#problems.get(name);
    const [a, b] = [this.#viewEnd(link, "a", problems), this.#viewEnd(link, "b", problems)];
    const directExpected = [places.a, places.b].some(
      ({ host }) => (this.#options.hosts.find(host)?.cableAddresses.length ?? 0) > 0,
    );
    return mergeLink({
      deleting,
      a,
      b,
      problem: problems?.whole,
      blocked: blockedOf(spec, { a: a.end, b: b.end }),
      fault: this.#quality[how]({ name, spec, a, b, directExpected, nowMs: now.getTime() }),
      remark: this.#options.remarks.of(name),
      relayedBytes: this.#options.relayedBytes(link.uid),
      previous,
      now,
    });
  }

  #viewEnd(link: Link, side: "a" | "b", problems: Problems | undefined): EndView {
    const places = placesOf(link);
    const { host } = places[side];
    const known = this.#options.ends.find(host, link.name);
    const current = this.#options.ends.isCurrent(host);
    // Both ends of a link within a host are told as one.
    const isPeer = side === "b" && places.a.host === places.b.host;
    const end = isPeer ? known?.localPeer : known?.end;
    return {
      host: `hosts/${host}`,
      lan: link.spec?.[side] ?? "",
      // An end of an older link of the same name says nothing about this one.
      end: known?.linkUid === link.uid ? end : undefined,
      current,
      absence: current ? "" : this.#absence(host),
      problem: problems?.ends.get(host),
    };
  }

  #absence(id: string): string {
    const { fleet } = this.#options;
    if (fleet.find(id) === undefined) return `hosts/${id} is not registered`;
    const { state, lastSeenTime } = fleet.get(id, new Date());
    if (state === HostState.HOST_STATE_READY) return `hosts/${id} does not tell of its cables`;
    const name = HostState[state].replace("HOST_STATE_", "").toLowerCase();
    return lastSeenTime === undefined
      ? `hosts/${id} is ${name}`
      : `hosts/${id} is ${name}, last seen at ${lastSeenTime.toISOString()}`;
  }

  #problemsOf(name: string): Problems {
    const problems = this.#problems.get(name) ?? { whole: undefined, ends: new Map() };
    this.#problems.set(name, problems);
    return problems;
  }

  #found(names: readonly string[]): LinkRecord[] {
    return names.map((name) => this.#records.get(name)).filter((record) => record !== undefined);
  }
}
