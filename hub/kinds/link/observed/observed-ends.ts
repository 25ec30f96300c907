import type { EndStatus, WatchEndsResponse } from "../../../../proto/gen/zor/agent/v1/cable_service.js";

/** Link ends as the agents last told them. What a host that does not answer said last stays. */
export class ObservedEnds {
  readonly #byHost = new Map<string, Map<string, EndStatus>>();
  readonly #current = new Set<string>();
  readonly #listeners: ((links: readonly string[]) => void)[] = [];

  /** Calls back with the names of links of which an end changed, or of all that a host has ends of. */
  onChange(listener: (links: readonly string[]) => void): void {
    this.#listeners.push(listener);
  }

  /** Takes a message of a host's WatchEnds stream. */
  apply(host: string, message: WatchEndsResponse): void {
    const ends = this.#of(host);
    const changed = new Set([...message.ends.map(({ link }) => link), ...message.removed]);
    if (message.snapshot) {
      for (const link of ends.keys()) changed.add(link);
      ends.clear();
      this.#current.add(host);
    }
    for (const end of message.ends) ends.set(end.link, end);
    for (const link of message.removed) ends.delete(link);
    this.#onChange([...changed]);
  }

  /**
   * Takes what an agent answered about an end that it was asked for. Where its stream has told of that end already, it has told of it
   * later too: the answer may be the older of the two.
   */
  set(host: string, end: EndStatus): void {
    const known = this.#of(host).get(end.link);
    if (known?.linkUid === end.linkUid && this.isCurrent(host)) return;
    this.#of(host).set(end.link, end);
    this.#onChange([end.link]);
  }

  /** An agent has removed an end. */
  delete(host: string, link: string): void {
    this.#of(host).delete(link);
    this.#onChange([link]);
  }

  /** The stream of a host has ended: its ends are kept, but may be old. */
  stale(host: string): void {
    this.#current.delete(host);
    this.#onChange([...this.#of(host).keys()]);
  }

  /** A host is no longer registered. */
  forget(host: string): void {
    this.#current.delete(host);
    const links = [...this.#of(host).keys()];
    this.#byHost.delete(host);
    this.#onChange(links);
  }

  /** Whether a host's ends are all known and current. */
  isCurrent(host: string): boolean {
    return this.#current.has(host);
  }

  find(host: string, link: string): EndStatus | undefined {
    return this.#byHost.get(host)?.get(link);
  }

  /** All ends of a host, by link. */
  ofHost(host: string): ReadonlyMap<string, EndStatus> {
    return this.#of(host);
  }

  #onChange(links: readonly string[]): void {
    for (const listener of this.#listeners) listener(links);
  }

  #of(host: string): Map<string, EndStatus> {
    const known = this.#byHost.get(host);
    if (known !== undefined) return known;
    const made = new Map<string, EndStatus>();
    this.#byHost.set(host, made);
    return made;
  }
}
