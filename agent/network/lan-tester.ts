import { createHash } from "node:crypto";
import { SystemCallError } from "../../lib/libc.js";
import { bringUpQuietly } from "../../lib/net/quiet-device.js";
import { TestFrames, testEthertype } from "../../lib/net/test-frame.js";
import { PacketSocket } from "./packet-socket.js";

/** A lan to test. */
export interface TestedLan {
  readonly uid: string;
  /** Device of the bridge itself, at which test frames go in. */
  readonly bridge: string;
  /** Device of its test port, at which they come out. */
  readonly testPort: string;
}

/** Between two test frames of a lan. */
const intervalMs = 1_000;
/** So many frames in a row that did not come through before the next was due: a lan in heavy use may lose one. */
const mostMissed = 3;
/** How long a new lan may take to forward its first. */
const firstMs = 2_000;
const pollMs = 20;
/** Taken at once: there is one a second. */
const framesAtOnce = 16;

interface Entry extends TestedLan {
  readonly frames: TestFrames;
  sockets: { readonly from: PacketSocket; readonly to: PacketSocket } | undefined;
  /** Frames sent since the last that came through. Counted, not timed: an agent that was held up has not looked. */
  missed: number;
  proven: boolean;
}

/**
 * Sends frames through lans, from the bridge's own port to its test port, and says which lans do not forward them. What guests send and
 * get is not touched: the switch learns before each where its addresses are, so that it floods none.
 */
export class LanTester {
  readonly #netns: string;
  readonly #isWaiting: () => boolean;
  readonly #onChange: () => void;
  readonly #entries = new Map<string, Entry>();
  readonly #timer: NodeJS.Timeout;
  #said = "";

  /**
   * @param options.isWaiting the switch is not to forward yet: nothing that does not come through is held against a lan.
   * @param options.onChange a lan began or ceased to forward.
   */
  constructor(options: {
    readonly netns: string;
    readonly isWaiting: () => boolean;
    readonly onChange: () => void;
  }) {
    this.#netns = options.netns;
    this.#isWaiting = options.isWaiting;
    this.#onChange = options.onChange;
    this.#timer = setInterval(() => this.#test(), intervalMs);
  }

  /** Begins to test a lan, and waits a moment for its first frame. Idempotent. */
  async add(lan: TestedLan): Promise<void> {
    if (this.#entries.has(lan.uid)) return;
    const frames = new TestFrames(macOf("source", lan.uid), macOf("sink", lan.uid));
    const entry: Entry = { ...lan, frames, sockets: undefined, missed: 0, proven: false };
    this.#entries.set(lan.uid, entry);
    const deadline = performance.now() + firstMs;
    while (
      !entry.proven &&
      !this.#isWaiting() &&
      performance.now() < deadline &&
      this.#entries.get(lan.uid) === entry
    ) {
      this.#exchange(entry);
      await new Promise((resolve) => setTimeout(resolve, pollMs));
      this.#receive(entry);
    }
    if (!entry.proven && !this.#isWaiting()) entry.missed = mostMissed;
  }

  /** Tests no more. Idempotent. */
  remove(uid: string): void {
    const entry = this.#entries.get(uid);
    this.#entries.delete(uid);
    if (entry !== undefined) closeSockets(entry);
  }

  /** Why a lan does not work, for people; empty when it forwards, or is not tested. */
  faultOf(uid: string): string {
    return (this.#entries.get(uid)?.missed ?? 0) < mostMissed
      ? ""
      : "its switch does not forward test frames; the host is overloaded, or the switch is stuck";
  }

  close(): void {
    clearInterval(this.#timer);
    for (const uid of [...this.#entries.keys()]) this.remove(uid);
  }

  #test(): void {
    for (const entry of this.#entries.values()) {
      entry.missed = this.#isWaiting() ? 0 : entry.missed + 1;
      this.#receive(entry);
      this.#exchange(entry);
    }
    const faults = [...this.#entries.keys()].filter((uid) => this.faultOf(uid) !== "").join();
    if (faults === this.#said) return;
    this.#said = faults;
    this.#onChange();
  }

  /** Sends the next frame; devices that a switch has made anew are opened again. */
  #exchange(entry: Entry): void {
    if (!this.#send(entry)) this.#send(entry);
  }

  #send(entry: Entry): boolean {
    try {
      entry.sockets ??= this.#open(entry);
      // First what only tells the switch where the address is: it comes from the port at which it is to go out, so it goes nowhere.
      entry.sockets?.to.send(entry.frames.learn());
      entry.sockets?.from.send(entry.frames.next());
      return true;
    } catch (error) {
      forget(entry, error);
      return false;
    }
  }

  #receive(entry: Entry): void {
    try {
      for (let count = 0; count < framesAtOnce; count += 1) {
        const frame = entry.sockets?.to.receive();
        if (frame === undefined) return;
        if (!entry.frames.take(frame)) continue;
        entry.missed = 0;
        entry.proven = true;
      }
    } catch (error) {
      forget(entry, error);
    }
  }

  #open({ bridge, testPort, frames }: Entry): Entry["sockets"] {
    const netns = this.#netns;
    const [fromIndex, toIndex] = [bringUpQuietly(netns, bridge), bringUpQuietly(netns, testPort)];
    if (fromIndex === undefined || toIndex === undefined) return undefined;
    const from = PacketSocket.open({ ifindex: fromIndex, netns }, kindOf(frames.source));
    try {
      return { from, to: PacketSocket.open({ ifindex: toIndex, netns }, kindOf(frames.sink)) };
    } catch (error) {
      from.close();
      throw error;
    }
  }
}

function kindOf(destination: Buffer): { readonly destination: Buffer; readonly ethertype: number } {
  return { destination, ethertype: testEthertype };
}

/** The devices were made anew, or are not there yet: they are opened again. */
function forget(entry: Entry, error: unknown): void {
  if (!(error instanceof SystemCallError)) throw error;
  closeSockets(entry);
}

function closeSockets(entry: Entry): void {
  entry.sockets?.from.close();
  entry.sockets?.to.close();
  entry.sockets = undefined;
}

/** Of this lan only, and unknown to its guests. */
function macOf(end: string, lanUid: string): Buffer {
  const hash = createHash("sha256").update(`zor-lan-test\0${end}\0${lanUid}`).digest();
  return Buffer.concat([Buffer.from([0x02]), hash.subarray(0, 5)]);
}
