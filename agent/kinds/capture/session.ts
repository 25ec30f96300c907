import { status } from "@grpc/grpc-js";
import { ZorError } from "../../../lib/errors.js";
import type { CaptureFigures, CaptureInterface, CaptureResponse } from "../../../proto/gen/zor/v1/capture_service.js";
import { CaptureThread, type CaptureThreadStart } from "../../network/captures/capture-thread.js";
import type { CaptureReport, InterfaceCounts } from "../../network/captures/protocol.js";
import { HeldPackets } from "./held-packets.js";
import type { Place } from "./targets.js";

/** Frames of a capture that are kept for its reader, read or not. */
const heldBytes = 16 * 1024 * 1024;
/** Memory of the kernel for all interfaces of a capture, and the least for one. */
const [ringBytes, leastRingBytes] = [16 * 1024 * 1024, 1024 * 1024];
/** Most interfaces of a capture. */
const maxInterfaces = 64;

/** What a capture is made of. */
export interface SessionOptions extends Omit<CaptureThreadStart, "onReport"> {
  readonly id: string;
  /** Identity of whose it is. */
  readonly caller: string;
  readonly startTime: Date;
  /** Where the targets' frames pass now. */
  readonly places: () => readonly Place[];
  /** What could not be done, for the log. */
  readonly onFault: (message: string) => void;
  /** Called once it has ended, whether anybody read it to its end or not. */
  readonly onEnd: (told: { readonly reason: string; readonly packets: number; readonly dropped: number }) => void;
}

const none: readonly InterfaceCounts[] = [];

/** An interface of the capture, and the device that is at it. */
interface Interface {
  readonly info: CaptureInterface;
  /** Undefined: none is now. */
  ifindex: number | undefined;
}

/** One capture: a thread that reads frames, what it has read lately, and at most one reader. */
export class CaptureSession {
  readonly id: string;
  readonly caller: string;
  readonly #options: SessionOptions;
  readonly #thread: CaptureThread;
  readonly #held = new HeldPackets(heldBytes);
  readonly #interfaces = new Map<string, Interface>();
  /** Those that frames come from, or have come from, in the order in which they began. */
  readonly #begun: CaptureInterface[] = [];
  #counts: readonly InterfaceCounts[] = none;
  #completeNs = 0n;
  #unread = 0;
  /** Why it is to end, or has. */
  #reason = "";
  #isOver = false;
  #reader: AbortController | undefined;
  #wake: (() => void) | undefined;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.id = options.id;
    this.caller = options.caller;
    this.#thread = new CaptureThread({ ...options, onReport: (report) => this.#take(report) });
    this.follow();
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Somebody reads it. */
  get isRead(): boolean {
    return this.#reader !== undefined;
  }

  /** Looks where the frames pass now: an instance was started again, a port came into a lan. */
  follow(): void {
    if (this.#isOver || this.#reason !== "") return;
    const places = this.#options.places();
    const there = new Set(places.map(({ key }) => key));
    for (const [key, known] of this.#interfaces) {
      if (known.ifindex === undefined || there.has(key)) continue;
      known.ifindex = undefined;
      this.#thread.close(known.info.number);
    }
    for (const place of places) this.#capture(place, places.length);
    this.#notify();
  }

  #capture(place: Place, count: number): void {
    const known = this.#interfaces.get(place.key) ?? this.#add(place);
    if (known === undefined || known.ifindex === place.ifindex) return;
    known.ifindex = place.ifindex;
    const share = Math.max(leastRingBytes, Math.floor(ringBytes / count));
    this.#thread.open(known.info.number, { ...place, ringBytes: share });
  }

  #add({ key, target, endpoint, device }: Place): Interface | undefined {
    if (this.#interfaces.size >= maxInterfaces) {
      this.#options.onFault(`it has ${maxInterfaces} interfaces; ${endpoint} is not captured`);
      return undefined;
    }
    const added = { info: { number: this.#interfaces.size, target, endpoint, device }, ifindex: undefined };
    this.#interfaces.set(key, added);
    return added;
  }

  /**
   * Reads it from a frame on. Who read it before is ended. When the reader goes, it goes on.
   * @throws {ZorError} ABORTED: another reader came.
   */
  async *read(next: number, signal: AbortSignal): AsyncGenerator<CaptureResponse> {
    this.#reader?.abort();
    const own = new AbortController();
    this.#reader = own;
    const either = AbortSignal.any([signal, own.signal]);
    const wake = (): void => this.#notify();
    either.addEventListener("abort", wake, { once: true });
    try {
      yield { message: { $case: "started", value: { captureId: this.id, startTime: this.#options.startTime } } };
      yield* this.#messages(next, either);
      if (own.signal.aborted) throw taken();
    } finally {
      either.removeEventListener("abort", wake);
      if (this.#reader === own) this.#reader = undefined;
    }
  }

  async *#messages(begin: number, signal: AbortSignal): AsyncGenerator<CaptureResponse> {
    let next = begin;
    let interfaces = 0;
    let completeNs = 0n;
    let counts = none;
    while (!signal.aborted) {
      for (const info of this.#begun.slice(interfaces)) {
        interfaces += 1;
        yield { message: { $case: "interface", value: info } };
      }
      const batch = this.#held.from(next);
      if (batch !== undefined) {
        this.#unread += Math.max(0, batch.first - next);
        next = batch.first + batch.count;
        completeNs = batch.completeNs === 0n ? completeNs : batch.completeNs;
        yield packets(batch.first, batch);
        continue;
      }
      if (this.#completeNs > completeNs) {
        completeNs = this.#completeNs;
        yield packets(next, { count: 0, blocks: Buffer.alloc(0), completeNs });
      }
      if (counts !== this.#counts) {
        counts = this.#counts;
        yield { message: { $case: "figures", value: this.#figures() } };
      }
      // While a message was taken more may have come.
      if (this.#held.next > next || interfaces < this.#begun.length || counts !== this.#counts) continue;
      if (this.#isOver) {
        yield { message: { $case: "ended", value: { reason: this.#reason, figures: this.#figures() } } };
        return;
      }
      if (signal.aborted) return;
      if (this.#completeNs > completeNs) continue;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** Ends it; what was captured can still be read by whoever reads. */
  async end(reason: string): Promise<void> {
    if (this.#reason === "") this.#reason = reason;
    await this.#thread.end();
  }

  #take(report: CaptureReport): void {
    switch (report.type) {
      case "packets":
        this.#held.add(report);
        if (report.completeNs !== 0n) this.#completeNs = report.completeNs;
        this.#thread.took(report.blocks.length);
        break;
      case "figures":
        this.#counts = report.interfaces;
        break;
      case "opened":
        this.#begin(report.number);
        break;
      case "fault":
        this.#options.onFault(report.message);
        break;
      case "ended":
        this.#isOver = true;
        if (this.#reason === "")
          this.#reason = report.isFull ? this.#limit() : "what captures failed; look at the agent's log";
        this.#options.onEnd({
          ...{ reason: this.#reason, packets: this.#held.next },
          dropped: this.#counts.reduce((sum, { dropped }) => sum + dropped, 0),
        });
    }
    this.#notify();
  }

  #begin(number: number): void {
    const found = [...this.#interfaces.values()].find(({ info }) => info.number === number);
    if (found !== undefined && !this.#begun.includes(found.info)) this.#begun.push(found.info);
  }

  #limit(): string {
    const { maxPackets } = this.#options;
    return this.#held.next >= maxPackets ? `${maxPackets} frames` : `${this.#options.maxBytes} bytes`;
  }

  #figures(): CaptureFigures {
    return {
      unread: BigInt(this.#unread),
      interfaces: this.#counts.map(({ number, received, dropped }) => ({
        ...{ number, received: BigInt(received), dropped: BigInt(dropped) },
      })),
    };
  }

  #notify(): void {
    this.#wake?.();
    this.#wake = undefined;
  }
}

function taken(): ZorError {
  const message = "another call has gone on with this capture";
  return new ZorError({ reason: "CAPTURE_TAKEN", code: status.ABORTED, message });
}

function packets(
  first: number,
  { count, blocks, completeNs }: { readonly count: number; readonly blocks: Uint8Array; readonly completeNs: bigint },
): CaptureResponse {
  const bytes = Buffer.from(blocks.buffer, blocks.byteOffset, blocks.byteLength);
  return {
    message: { $case: "packets", value: { first: BigInt(first), count, blocks: bytes, completeNanos: completeNs } },
  };
}
