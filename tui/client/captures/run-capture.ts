import { fitBlocks } from "../../../lib/capture/packet-blocks.js";
import { version } from "../../../lib/program.js";
import type { CaptureInterface } from "../../../proto/gen/zor/v1/capture_service.js";
import { shortName } from "../../kit/resource-name.js";
import { type ClockOffset, measureClock, nowHereNs } from "./host-clock.js";
import { Merger } from "./merger.js";
import { PcapngOutput, type PcapngOutputOptions } from "./pcapng-output.js";
import { type CaptureEvent, type HostCapture, readCapture } from "./read-capture.js";

/** How frames of one or several hosts are captured. */
export interface RunCaptureOptions {
  readonly hosts: readonly HostCapture[];
  readonly output: Pick<PcapngOutputOptions, "open" | "remove" | "ring">;
  /** Kept with the file; "": none. */
  readonly comment: string;
  /** As the hosts were told it. */
  readonly filter: string;
  readonly snapBytes: number;
  /** All hosts together; Infinity: without bound. */
  readonly maxPackets: number;
  readonly maxBytes: number;
  /** Ends the capture; what is there already is written. */
  readonly stop: AbortSignal;
  /** Told what people should know while it runs. */
  readonly onNotice: (text: string) => void;
  /** Told when all frames that pass an interface from then on are captured. Default: nobody is. */
  readonly onInterface?: (target: string) => void;
  /** Told how far it is, at most once a second. Default: nobody is. */
  readonly onProgress?: (progress: CaptureProgress) => void;
}

/** How far a capture is. */
export type CaptureProgress = Pick<CaptureResult, "packets" | "dropped" | "unread">;

/** What a capture came to. */
export interface CaptureResult {
  readonly packets: number;
  readonly bytes: number;
  /** Lost in the kernels of hosts, because there was no room. */
  readonly dropped: number;
  /** Captured and not read in time. */
  readonly unread: number;
  /** Frames that came after later ones were written. */
  readonly late: number;
  /** Clock of each host against the one here, where there are several. */
  readonly clocks: ReadonlyMap<string, ClockOffset>;
}

const clockAgainMs = 20_000;
const progressMs = 1000;

/** An interface of the output, and what became of its frames. */
interface Captured {
  readonly id: number;
  received: bigint;
  dropped: bigint;
  /** Of captures before the one that runs: its figures begin anew. */
  before: { received: bigint; dropped: bigint };
}

/** Captures on hosts until all have ended, and writes their frames in the order of their times. @throws {ZorError} */
export async function runCapture(options: RunCaptureOptions): Promise<CaptureResult> {
  const run = new CaptureRun(options);
  return await run.toEnd();
}

class CaptureRun {
  readonly #options: RunCaptureOptions;
  readonly #merger: Merger;
  readonly #clocks = new Map<string, ClockOffset>();
  readonly #interfaces = new Map<string, Captured>();
  readonly #numbers = new Map<string, Map<number, Captured>>();
  /** Interfaces as hosts told of them, since their captures began or were gone on with. */
  readonly #told = new Map<string, CaptureInterface[]>();
  readonly #full = new AbortController();
  readonly #startNs = nowHereNs();
  #output: PcapngOutput | undefined;
  #writing: Promise<void> = Promise.resolve();
  #packets = 0;
  #bytes = 0;
  #unread = 0;

  constructor(options: RunCaptureOptions) {
    this.#options = options;
    this.#merger = new Merger(options.hosts.map(({ host }) => host));
  }

  async toEnd(): Promise<CaptureResult> {
    const { hosts, output, comment, stop } = this.#options;
    const signal = AbortSignal.any([stop, this.#full.signal]);
    if (hosts.length > 1) await Promise.all(hosts.map((each) => this.#measure(each, signal)));
    const said = [comment, this.#clockWords()].filter((text) => text !== "").join("\n");
    this.#output = new PcapngOutput({ ...output, application: `Zorhub ${version}`, comment: said });
    await this.#output.begin();
    using _again = this.#measureAgain(signal);
    using _telling = this.#tellProgress();
    const results = await Promise.allSettled(hosts.map((each) => this.#follow(each, signal)));
    await this.#flush(true);
    await this.#writing;
    await this.#output.end(this.#statistics());
    for (const result of results) if (result.status === "rejected") throw result.reason;
    return this.#result();
  }

  async #follow(source: HostCapture, signal: AbortSignal): Promise<void> {
    try {
      for await (const event of readCapture(source, signal)) await this.#take(source.host, event);
    } catch (error) {
      // One host that cannot begin ends all: half of what was asked for is not what was asked for.
      this.#full.abort();
      throw error;
    } finally {
      this.#merger.leave(source.host);
    }
    await this.#flush(false);
  }

  async #take(host: string, event: CaptureEvent): Promise<void> {
    switch (event.type) {
      case "begun":
        this.#merger.enter(host);
        if (!event.isSame) for (const each of this.#numbers.get(host)?.values() ?? []) this.#remember(each);
        this.#numbers.set(host, new Map());
        this.#told.set(host, []);
        return;
      case "interface":
        await this.#addInterface(host, event.info);
        this.#options.onInterface?.(event.info.target);
        return;
      case "packets": {
        const map = {
          offsetNs: this.#offsetNs(host),
          interfaceOf: (number: number) => this.#numbers.get(host)?.get(number)?.id,
        };
        this.#merger.add(event.blocks, map);
        if (event.completeNs !== 0n) this.#merger.completeUntil(host, event.completeNs, map);
        this.#lose(host, event.lost);
        await this.#flush(false);
        return;
      }
      case "figures":
        for (const { number, received, dropped } of event.figures.interfaces) {
          const captured = this.#numbers.get(host)?.get(number);
          if (captured === undefined) continue;
          captured.received = received + captured.before.received;
          captured.dropped = dropped + captured.before.dropped;
        }
        return;
      case "away":
        this.#merger.leave(host);
        this.#options.onNotice(`the capture on ${host} was lost (${event.why}); trying to go on`);
        return;
      case "back":
        this.#options.onNotice(
          event.isWhole
            ? `the capture on ${host} goes on`
            : `the capture on ${host} began again: what passed meanwhile is not in it`,
        );
        return;
      case "ended":
        return;
    }
  }

  #lose(host: string, lost: number): void {
    if (lost === 0) return;
    this.#unread += lost;
    this.#options.onNotice(`${lost} frames of ${host} were lost, because they were not read in time`);
  }

  /** A capture that is gone on with tells the figures since its beginning; one that began again does not. */
  #remember(captured: Captured): void {
    captured.before = { received: captured.received, dropped: captured.dropped };
  }

  async #addInterface(host: string, info: CaptureInterface): Promise<void> {
    // What has several sides, as a box has, is captured at each of them.
    const side = this.#sideOf(host, info);
    const key = `${host} ${info.target} ${info.endpoint} ${side}`;
    const { filter, snapBytes } = this.#options;
    let captured = this.#interfaces.get(key);
    if (captured === undefined) {
      const description = `${info.endpoint} of ${info.target} at ${info.device} on ${host}`;
      const short = info.endpoint.includes("/") ? shortName(info.endpoint) : `${host}/${info.endpoint}`;
      const name = side === 0 ? short : `${short}#${side + 1}`;
      const added = { name, description, filter, snapBytes };
      // Before it is known, nobody else may take the number.
      const id = await this.#inTurn(async (output) => output.addInterface(added));
      captured = { id, received: 0n, dropped: 0n, before: { received: 0n, dropped: 0n } };
      this.#interfaces.set(key, captured);
    }
    this.#numbers.get(host)?.set(info.number, captured);
    this.#told.get(host)?.push(info);
  }

  /** Which one it is of those of one endpoint, from 0. */
  #sideOf(host: string, { target, endpoint, number }: CaptureInterface): number {
    const same = (this.#told.get(host) ?? []).filter((each) => each.target === target && each.endpoint === endpoint);
    const before = same.findIndex((each) => each.number === number);
    return before < 0 ? same.length : before;
  }

  async #flush(all: boolean): Promise<void> {
    const released = this.#merger.release(all);
    if (released.length === 0) return;
    const { maxPackets, maxBytes } = this.#options;
    const kept: Buffer[] = [];
    for (const { bytes, count } of released) {
      const room = { count: maxPackets - this.#packets, bytes: maxBytes - this.#bytes };
      const isWhole = count <= room.count && bytes.length <= room.bytes;
      const fits = isWhole ? { count, bytes: bytes.length } : fitBlocks(bytes, room);
      this.#packets += fits.count;
      this.#bytes += fits.bytes;
      kept.push(bytes.subarray(0, fits.bytes));
      if (isWhole) continue;
      this.#full.abort();
      break;
    }
    if (this.#packets >= maxPackets) this.#full.abort();
    await this.#inTurn((output) => output.packets(kept));
  }

  async #inTurn<T>(work: (output: PcapngOutput) => Promise<T>): Promise<T> {
    const turn = this.#writing.then(() => {
      if (this.#output === undefined) throw new Error("there is no output yet");
      return work(this.#output);
    });
    this.#writing = turn.then(
      () => undefined,
      () => undefined,
    );
    return await turn;
  }

  #offsetNs(host: string): bigint {
    return this.#clocks.get(host)?.offsetNs ?? 0n;
  }

  async #measure({ host, connection }: HostCapture, signal: AbortSignal): Promise<void> {
    this.#clocks.set(host, await measureClock(connection, host, signal));
  }

  /** Clocks drift, and are set. */
  #measureAgain(signal: AbortSignal): Disposable {
    const again = (): void => {
      for (const each of this.#options.hosts) {
        // One that is away now is asked the next time.
        void this.#measure(each, signal).catch(() => undefined);
      }
    };
    const timer = this.#clocks.size === 0 ? undefined : setInterval(again, clockAgainMs);
    return { [Symbol.dispose]: () => clearInterval(timer) };
  }

  #tellProgress(): Disposable {
    const { onProgress } = this.#options;
    const tell = (): void => onProgress?.(this.#result());
    tell();
    const timer = onProgress === undefined ? undefined : setInterval(tell, progressMs);
    return { [Symbol.dispose]: () => clearInterval(timer) };
  }

  #clockWords(): string {
    if (this.#clocks.size === 0) return "";
    const each = [...this.#clocks].map(([host, { offsetNs, errorNs }]) => `${host} ${clockText(offsetNs, errorNs)}`);
    return `Times are those of the computer that wrote this. Clocks of the hosts against it: ${each.join("; ")}.`;
  }

  #statistics() {
    const endNs = nowHereNs();
    return [...this.#interfaces.values()].map(({ id, received, dropped }) => ({
      ...{ interfaceId: id, startNs: this.#startNs, endNs, received, dropped },
      delivered: received > dropped ? received - dropped : 0n,
    }));
  }

  #result(): CaptureResult {
    const all = [...this.#interfaces.values()];
    return {
      packets: this.#packets,
      bytes: this.#bytes,
      dropped: Number(all.reduce((sum, { dropped }) => sum + dropped, 0n)),
      unread: this.#unread,
      late: this.#merger.lateFrames,
      clocks: this.#clocks,
    };
  }
}

/** "+90.000 s ± 0.41 ms". */
export function clockText(offsetNs: bigint, errorNs: bigint): string {
  const sign = offsetNs < 0n ? "-" : "+";
  const size = offsetNs < 0n ? -offsetNs : offsetNs;
  return `${sign}${(Number(size) / 1e9).toFixed(6)} s ± ${(Number(errorNs) / 1e6).toFixed(2)} ms`;
}
