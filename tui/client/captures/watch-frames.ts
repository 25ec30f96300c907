import { resolve } from "node:path";
import { epochOf, frameOf, interfaceOf, timeOf, walkPacketBlocks } from "../../../lib/capture/packet-blocks.js";
import type { Connection } from "../../../lib/grpc/connection.js";
import { version } from "../../../lib/program.js";
import { shortName } from "../../kit/resource-name.js";
import { openCaptureFile, removeCaptureFile } from "./capture-file.js";
import { Merger } from "./merger.js";
import { PcapngOutput } from "./pcapng-output.js";
import { placeOfTarget } from "./place-of-target.js";
import { type CaptureEvent, type HostCapture, readCapture } from "./read-capture.js";

/** A frame that passed. */
export interface PassedFrame {
  /** Which of the interfaces it passed, in the order in which those were told. */
  readonly at: number;
  /** Microseconds since 1970, by the host's clock. */
  readonly timeUs: number;
  /** Bytes that it had; fewer may be kept. */
  readonly length: number;
  readonly data: Buffer;
  /** The packet block of pcapng that holds it. */
  readonly block: Buffer;
}

/** Who watches frames. */
export interface FrameListener {
  /** From here on the host captures, at each interface once it is told; false: it cannot be reached any more. */
  readonly onRunning: (isRunning: boolean) => void;
  /** There is one more interface: "alpha/c1/eth0". */
  readonly onInterface: (name: string) => void;
  /** Frames, in the order of their times; one that the host told of much too late comes behind later ones. */
  readonly onFrames: (frames: readonly PassedFrame[]) => void;
  /** So many were lost, since the beginning: in the kernel, or because they were not read in time. */
  readonly onLost: (frames: number) => void;
  /** What people should know: the capture was lost, and goes on. */
  readonly onNotice: (text: string) => void;
}

const wholeFrames = 262_144;
const perNs = 1000;
const twoTo32 = 2 ** 32;
/** The host, to the merger: there is one. */
const source = "host";
/** So long frames wait when the host tells nothing of how far it has come. */
const longestHoldMs = 500;

/**
 * Tells the frames that pass a resource, a link at its first end, until the signal aborts or the host ends it; resolves to why it ended.
 * @param filter in the language of pcap-filter(7); "": all. @throws {ZorError} when it cannot be captured.
 */
export async function watchFrames(
  connection: Connection,
  name: string,
  {
    filter,
    signal,
    listener,
  }: { readonly filter: string; readonly signal: AbortSignal; readonly listener: FrameListener },
): Promise<string> {
  const { host, target } = await placeOfTarget(connection, name, { signal });
  const request = { targets: [target], filter, snapBytes: wholeFrames, maxPackets: 0n, maxDuration: undefined };
  return followCapture({ host, connection, request }, signal, listener);
}

/** Tells what comes of the capture of a host until it ends; resolves to why. @throws {ZorError} when it cannot begin. */
export async function followCapture(
  capture: HostCapture,
  signal: AbortSignal,
  listener: FrameListener,
): Promise<string> {
  using watch = new Watch(listener);
  for await (const event of readCapture(capture, signal)) {
    if (event.type === "ended") return event.reason;
    watch.take(event);
  }
  return "it ended";
}

/**
 * What is told of a capture, with interfaces that keep their numbers when it begins anew. Frames of several interfaces wait until the host
 * has told of all before them, so that no answer stands before what it answers; not for longer than a moment.
 */
class Watch implements Disposable {
  readonly #listener: FrameListener;
  readonly #known: string[] = [];
  /** Which of those known the capture's own numbers are. */
  readonly #numbers = new Map<number, number>();
  readonly #merger = new Merger([source]);
  #held: NodeJS.Timeout | undefined;
  #lost = { now: 0, before: 0 };

  constructor(listener: FrameListener) {
    this.#listener = listener;
  }

  take(event: CaptureEvent): void {
    switch (event.type) {
      case "begun":
        this.#giveAll();
        this.#numbers.clear();
        if (!event.isSame) this.#lost = { now: 0, before: this.#lost.before + this.#lost.now };
        this.#listener.onRunning(true);
        return;
      case "interface": {
        const { number, target, endpoint, device } = event.info;
        const key = `${target} ${endpoint} ${device}`;
        const known = this.#known.indexOf(key);
        this.#numbers.set(number, known < 0 ? this.#known.length : known);
        if (known >= 0) return;
        this.#known.push(key);
        this.#listener.onInterface(endpoint.includes("/") ? shortName(endpoint) : endpoint);
        return;
      }
      case "packets":
        this.#merger.add(event.blocks, { offsetNs: 0n, interfaceOf: (number) => this.#numbers.get(number) });
        if (event.completeNs !== 0n) this.#merger.completeUntil(source, event.completeNs, { offsetNs: 0n });
        // Those of one interface come in order.
        this.#give(this.#numbers.size < 2);
        return;
      case "figures": {
        const dropped = event.figures.interfaces.reduce((sum, each) => sum + Number(each.dropped), 0);
        this.#lost.now = dropped + Number(event.figures.unread);
        this.#listener.onLost(this.#lost.now + this.#lost.before);
        return;
      }
      case "away":
        this.#giveAll();
        this.#listener.onRunning(false);
        this.#listener.onNotice(`the capture was lost (${event.why}); trying to go on`);
        return;
      case "back":
        this.#listener.onNotice(event.isWhole ? "" : "the capture began again: what passed meanwhile is not here");
        return;
      case "ended":
    }
  }

  /** Tells what still waits. */
  [Symbol.dispose](): void {
    this.#giveAll();
  }

  #giveAll(): void {
    this.#give(true);
  }

  #give(all: boolean): void {
    const released = this.#merger.release(all);
    if (released.length > 0 || !this.#merger.isHolding) {
      clearTimeout(this.#held);
      this.#held = undefined;
    }
    if (this.#merger.isHolding) this.#held ??= setTimeout(() => this.#giveAll(), longestHoldMs);
    if (released.length > 0) this.#listener.onFrames(released.flatMap(({ bytes }) => framesOf(bytes)));
  }
}

function framesOf(blocks: Buffer): readonly PassedFrame[] {
  const frames: PassedFrame[] = [];
  const view = new DataView(blocks.buffer, blocks.byteOffset, blocks.length);
  walkPacketBlocks(view, (at, length) => {
    const epoch = epochOf(view, at);
    const { from, kept, length: frameLength } = frameOf(view, at);
    frames.push({
      at: interfaceOf(view, at),
      timeUs: (epoch * twoTo32) / perNs + timeOf(view, at, epoch) / perNs,
      length: frameLength,
      data: blocks.subarray(from, from + kept),
      block: blocks.subarray(at, at + length),
    });
  });
  return frames;
}

/** Writes frames into a new file of the working directory; resolves to its path. @throws {ZorError} */
export async function saveFrames(
  name: string,
  interfaces: readonly string[],
  frames: readonly Pick<PassedFrame, "block">[],
): Promise<string> {
  const time = new Date().toISOString().replace(/[-:]|\.\d+Z/g, "");
  const path = resolve(`${shortName(name).replaceAll("/", "-")}-${time}.pcapng`);
  const output = new PcapngOutput({
    open: () => openCaptureFile(path),
    remove: () => removeCaptureFile(path),
    ring: undefined,
    application: `Zorhub ${version}`,
    comment: "",
  });
  await output.begin();
  for (const each of interfaces) {
    await output.addInterface({ name: each, description: each, filter: "", snapBytes: wholeFrames });
  }
  await output.packets(frames.map(({ block }) => block));
  await output.end([]);
  return path;
}
