/**
 * Whose turn it is: hosts share the relay, not pairs, so that one host with many links takes no more than one with a single link. A pair
 * counts for that of its two hosts which has more pairs; each turn is of one pair of every such host, and a host's own pairs take theirs
 * one after the other.
 */
export class FairTurns {
  /** By pair: its two hosts. */
  readonly #hosts = new Map<number, readonly [string, string]>();
  /** By host: how many pairs it has. */
  readonly #counts = new Map<string, number>();
  /** Pairs that have something to move, longest waiting first. */
  readonly #due = new Set<number>();

  /** A pair begins. */
  add(pair: number, hosts: readonly [string, string]): void {
    this.#hosts.set(pair, hosts);
    for (const host of new Set(hosts)) this.#counts.set(host, this.#countOf(host) + 1);
  }

  /** A pair is over. */
  remove(pair: number): void {
    this.#due.delete(pair);
    for (const host of new Set(this.#hosts.get(pair))) {
      const left = this.#countOf(host) - 1;
      if (left > 0) this.#counts.set(host, left);
      else this.#counts.delete(host);
    }
    this.#hosts.delete(pair);
  }

  /** A pair has something to move; one that waits already keeps its place. */
  wants(pair: number): void {
    if (this.#hosts.has(pair)) this.#due.add(pair);
  }

  /** Nobody waits for a turn. */
  get isIdle(): boolean {
    return this.#due.size === 0;
  }

  /** The pairs of the next turn, which do not wait any more. */
  take(): readonly number[] {
    const turn: number[] = [];
    const served = new Set<string>();
    for (const pair of this.#due) {
      const owner = this.#ownerOf(pair);
      if (served.has(owner)) continue;
      served.add(owner);
      turn.push(pair);
    }
    for (const pair of turn) this.#due.delete(pair);
    return turn;
  }

  #ownerOf(pair: number): string {
    const [left, right] = this.#hosts.get(pair) ?? ["", ""];
    return this.#countOf(left) >= this.#countOf(right) ? left : right;
  }

  #countOf(host: string): number {
    return this.#counts.get(host) ?? 0;
  }
}
