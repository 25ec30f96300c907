import { RelayStatus, type RelayStatusCode } from "../../lib/relay-preamble.js";
import type { RelayRole } from "../../lib/relay-role.js";
import type { Spliced, SpliceOptions, Splicer } from "./splicer.js";
import { type RelayedEnd, refuse, WaitingEnd } from "./waiting-end.js";

/** What of a link is at the relay now. */
export interface RelayedState {
  /** Ends that wait for the other. */
  readonly waiting: readonly Pick<RelayedEnd, "host" | "role">[];
  /** Both are there. */
  readonly paired: boolean;
}

/** How long ends wait and pairs live, in ms. */
export interface RelayTimes extends Pick<SpliceOptions, "idleMs" | "lingerMs"> {
  /** How long an end may wait for the other. */
  readonly parkMs: number;
}

/** What the connections of a link work with. */
export interface RelayLinkOptions {
  readonly times: RelayTimes;
  readonly splicer: Splicer;
  /** Told of bytes that were passed on, either way. */
  readonly onBytes: (bytes: number) => void;
  /** Told of a connection that was refused because the same end lives at another address. */
  readonly onCopy: (copy: { readonly host: string; readonly here: string; readonly refused: string }) => void;
  /** Told after a connection went. */
  readonly onChange: () => void;
}

interface Pair {
  readonly ends: readonly [RelayedEnd, RelayedEnd];
  /** From where they came. */
  readonly addresses: readonly (string | undefined)[];
}

/** An end that was not heard for so long has lost its place to one that comes from elsewhere. */
const copyLivesMs = 3_000;

/** The connections of one link at the relay: at most one that waits per role, and at most one pair. */
export class RelayLink {
  readonly #times: RelayTimes;
  readonly #splicer: Splicer;
  readonly #onBytes: (bytes: number) => void;
  readonly #onCopy: RelayLinkOptions["onCopy"];
  readonly #onChange: () => void;
  readonly #waiting = new Map<RelayRole, WaitingEnd>();
  #pair: (Spliced & Pair) | undefined;

  constructor(options: RelayLinkOptions) {
    this.#times = options.times;
    this.#splicer = options.splicer;
    this.#onBytes = options.onBytes;
    this.#onCopy = options.onCopy;
    this.#onChange = options.onChange;
  }

  get isEmpty(): boolean {
    return this.#waiting.size === 0 && this.#pair === undefined;
  }

  get state(): RelayedState {
    const waiting = [...this.#waiting.values()].map(({ end: { host, role } }) => ({ host, role }));
    return { waiting, paired: this.#pair !== undefined };
  }

  /**
   * Takes in an end: pairs it with the other if that waits, else lets it wait. The newest connection of an end is the one that counts,
   * except while the one before lives at another address: then two hosts have one identity, and the link must not go to and fro.
   */
  add(end: RelayedEnd): void {
    const here = this.#livesElsewhere(end);
    if (here !== undefined) {
      this.#onCopy({ host: end.host, here, refused: end.socket.remoteAddress ?? "" });
      refuse(end.socket, RelayStatus.Copy);
      return;
    }
    const [oldPair, old] = [this.#pair, this.#waiting.get(end.role)];
    const other = this.#waiting.get(end.role === "listener" ? "dialer" : "listener");
    // The new end gets its place before others leave theirs: between the two the link would look empty.
    if (other !== undefined && other.end.host !== end.host) this.#join(end, other);
    else this.#wait(end);
    // What waits is the same host's, from before its role was changed: no partner.
    if (other?.end.host === end.host) other.refuse(RelayStatus.Gone);
    old?.refuse(RelayStatus.Replaced);
    // An end that comes anew has lost its connection: the pair is dead, and its other end should know at once.
    oldPair?.close();
  }

  /** The address at which the same end is in the pair and was heard a moment ago, when it is another: a live cable probes every second. */
  #livesElsewhere({ role, host, socket }: RelayedEnd): string | undefined {
    const pair = this.#pair;
    if (pair === undefined) return undefined;
    const side = pair.ends[0].role === role ? 0 : 1;
    const known = pair.ends[side];
    const elsewhere = known.host === host && known.role === role && pair.addresses[side] !== socket.remoteAddress;
    return elsewhere && pair.quietMs(side) < copyLivesMs ? pair.addresses[side] : undefined;
  }

  /** Ends the connections that are not good any more. */
  recheck(isGood: (end: RelayedEnd) => boolean, status: RelayStatusCode): void {
    for (const waiting of [...this.#waiting.values()]) if (!isGood(waiting.end)) waiting.refuse(status);
    if (this.#pair?.ends.every(isGood) === false) this.#pair.close();
  }

  #wait(end: RelayedEnd): void {
    const waiting = new WaitingEnd(end, this.#times.parkMs, () => {
      if (this.#waiting.get(end.role) === waiting) this.#waiting.delete(end.role);
      this.#onChange();
    });
    this.#waiting.set(end.role, waiting);
  }

  #join(end: RelayedEnd, other: WaitingEnd): void {
    this.#waiting.delete(other.end.role);
    const ends = [end, other.take()] as const;
    const { idleMs, lingerMs } = this.#times;
    const addresses = ends.map(({ socket }) => socket.remoteAddress);
    const spliced = this.#splicer.splice([ends[0].socket, ends[1].socket], {
      hosts: [ends[0].host, ends[1].host],
      firstByte: RelayStatus.Paired,
      idleMs,
      lingerMs,
      onBytes: this.#onBytes,
      onClosed: () => {
        if (this.#pair === pair) this.#pair = undefined;
        this.#onChange();
      },
    });
    const pair = { ends, addresses, ...spliced };
    this.#pair = pair;
  }
}
