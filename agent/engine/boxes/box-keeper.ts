import { createHash, randomBytes } from "node:crypto";
import { Backoff, pause } from "../../../lib/backoff.js";
import { messageOf } from "../../../lib/errors.js";
import type { Log } from "../../../lib/log.js";
import type { EnginePort } from "../../../proto/gen/zor/agent/v1/engine.js";
import { A2bState } from "../../../proto/gen/zor/v1/a2b.js";
import type { ImpairmentStats } from "../../../proto/gen/zor/v1/impairment.js";
import { startOf } from "../impair/begun.js";
import { orderOf, toSteps, wishAt, type Wishes } from "../impair/wishes.js";
import { readDropPrograms } from "../protocol/drop-program.js";
import type { BoxView } from "../protocol/box-protocol.js";
import { RateMeter } from "../../../lib/rate-meter.js";
import { makeTap } from "../frames/switch-tap.js";
import type { BoxSettings } from "../threads/box-orders.js";
import type { BoxPool, BoxSlot } from "../threads/box-pool.js";
import type { BoxRecord } from "./box-store.js";
import { counter, readCounters, toStats } from "../impair/counters.js";
import { stepsFor } from "../impair/schedule.js";

const retry = { minMs: 200, maxMs: 10_000 } as const;
/** What a box drops it drops on purpose, so its taps hold more than a cable's, which must drop to stay quick. */
const queueFrames = 2_048;
const notPlugged = "its tap is not yet plugged into its lan";
const sides = [0, 1] as const;
const notMade = "its taps are being made";

/** What a box needs of the engine. */
export interface KeeperContext {
  readonly pool: BoxPool;
  readonly netns: string | undefined;
  /** Tells the names of this host's taps from those of another that shares the namespace. */
  readonly salt: string;
  readonly log: Log;
  /** The box's view changed. */
  readonly changed: () => void;
}

/** One box in the engine's main thread: its taps, its place in a worker, and what people are told of it. */
export class BoxKeeper {
  readonly #context: KeeperContext;
  #record: BoxRecord;
  #slot: BoxSlot | undefined;
  #generation = "";
  #faults: [string, string] = [notPlugged, notPlugged];
  #failure = notMade;
  #said = { active: false, reason: "", sinceMs: Date.now() };
  #removing: Promise<void> = Promise.resolve();
  #setting: Promise<void> = Promise.resolve();
  readonly #rates = new RateMeter();
  /** What {@link refresh} saw last. */
  #figures = "";
  readonly #ended = new AbortController();
  readonly #running: Promise<void>;
  #lost = Promise.withResolvers<void>();

  constructor(record: BoxRecord, context: KeeperContext) {
    this.#record = record;
    this.#context = context;
    this.#tell();
    this.#running = this.#run();
  }

  get record(): BoxRecord {
    return this.#record;
  }

  /** Changes what the box does. Nothing happens when it is asked for what it does already. */
  apply(record: BoxRecord): void {
    const previous = this.#record;
    this.#record = record;
    if (previous.spec.revision !== record.spec.revision) this.#set();
    this.#context.changed();
  }

  /** Resolves when what was asked for last holds for every frame. */
  async settled(): Promise<void> {
    await this.#setting;
  }

  /** The agent tells whether a tap is plugged into its lan. Ignored when it is about earlier taps. */
  setPort(port: string, generation: string, fault: string): void {
    const side = sides.find((one) => this.#portName(one) === port);
    if (side === undefined || generation !== this.#generation) return;
    this.#faults[side] = fault;
    this.#tell();
  }

  /** Looks at the counters. Call once a second. True when they should be told: idle boxes are not told again and again. */
  refresh(): boolean {
    const [first, second] = this.#slot?.counters ?? [];
    const txBytes = first?.[counter.outBytes] ?? 0;
    const rxBytes = second?.[counter.outBytes] ?? 0;
    this.#rates.sample(performance.now(), { txBytes, rxBytes });
    const { txBps, rxBps } = this.#rates.read();
    const figures = `${this.#sum(counter.inFrames)} ${txBps} ${rxBps}`;
    const changed = figures !== this.#figures;
    this.#figures = figures;
    return changed || this.#record.spec.spec.schedule.length > 0 || this.#sum(counter.queuedFrames) > 0;
  }

  view(): BoxView {
    const { spec: box, begun } = this.#record;
    const { txBps, rxBps } = this.#rates.read();
    const { active, reason, sinceMs } = this.#said;
    const elapsedMs = Date.now() - startOf(begun).setMs;
    const [aToB, bToA] = wishesOf(this.#record);
    const ports: BoxView["ports"] = [this.#port(0), this.#port(1)];
    return {
      spec: box,
      status: {
        state: active ? A2bState.A2B_STATE_ACTIVE : A2bState.A2B_STATE_DOWN,
        reason,
        sinceTime: new Date(sinceMs),
        aToB: this.#stats(0),
        bToA: this.#stats(1),
        currentAToB: wishAt(aToB, elapsedMs),
        currentBToA: wishAt(bToA, elapsedMs),
        portA: ports[0].name,
        portB: ports[1].name,
        enginePid: BigInt(process.pid),
        seed: begun.seed,
      },
      ports,
      aToBBps: BigInt(txBps),
      bToABps: BigInt(rxBps),
    };
  }

  /** Removes the taps. */
  async close(): Promise<void> {
    this.#ended.abort();
    this.#lost.resolve();
    await this.#running;
    await this.#removing;
  }

  #port(side: 0 | 1): EnginePort {
    const { lanA, lanB } = this.#record.spec.spec;
    const ready = this.#slot !== undefined;
    return {
      name: this.#portName(side),
      lan: side === 0 ? lanA : lanB,
      ready,
      plugged: ready && this.#faults[side] === "",
      generation: this.#generation,
    };
  }

  /** What was done to the frames that came in at a side. */
  #stats(side: 0 | 1): ImpairmentStats {
    const counters = readCounters(this.#slot?.counters[side]);
    return toStats({ ...counters, droppedPortFrames: counters.droppedPortFrames + counters.tapDrops });
  }

  /** A figure of both directions together. */
  #set(): void {
    if (this.#slot !== undefined) this.#setting = this.#slot.set(settingsOf(this.#record));
  }

  #sum(place: number): number {
    return (this.#slot?.counters ?? []).reduce((sum, figures) => sum + (figures[place] ?? 0), 0);
  }

  async #run(): Promise<void> {
    const { signal } = this.#ended;
    const backoff = new Backoff(retry);
    while (!signal.aborted) {
      try {
        await this.#open();
        backoff.reset();
        await this.#lost.promise;
        this.#close();
        await this.#removing;
      } catch (error) {
        if (signal.aborted) return;
        const { log } = this.#context;
        log.error({ box: this.#record.spec.box, error: messageOf(error) }, "a box cannot be set up");
        this.#failure = messageOf(error);
        this.#tell();
        await pause(backoff.nextMs(), signal);
      }
    }
  }

  /** Makes the taps and gives them to a worker. */
  async #open(): Promise<void> {
    const { netns, pool } = this.#context;
    const { signal } = this.#ended;
    const first = await makeTap({ name: this.#portName(0), netns, queueFrames, signal });
    const second = await makeTap({ name: this.#portName(1), netns, queueFrames, signal }).catch((error: unknown) => {
      first.discard();
      throw error;
    });
    this.#generation = randomBytes(8).toString("hex");
    this.#faults = [notPlugged, notPlugged];
    this.#lost = Promise.withResolvers<void>();
    if (signal.aborted) this.#lost.resolve();
    this.#slot = pool.add([first, second], () => this.#onTapLost());
    this.#set();
    this.#failure = "";
    this.#tell();
  }

  #close(): void {
    const slot = this.#slot;
    this.#slot = undefined;
    this.#failure = notMade;
    this.#tell();
    if (slot !== undefined) this.#removing = slot.remove();
  }

  /** Somebody deleted a tap or its namespace: both are made anew. */
  #onTapLost(): void {
    this.#context.log.warn({ box: this.#record.spec.box }, "a tap of a box was deleted; making both anew");
    this.#lost.resolve();
  }

  #tell(): void {
    const [a, b] = this.#faults;
    const reason = this.#failure !== "" ? this.#failure : a !== "" ? a : b;
    const active = reason === "";
    const sinceMs = active === this.#said.active ? this.#said.sinceMs : Date.now();
    this.#said = { active, reason, sinceMs };
    this.#context.changed();
  }

  #portName(side: 0 | 1): string {
    const hash = createHash("sha256").update(this.#context.salt).update(this.#record.spec.uid, "utf8").digest("hex");
    return `zb${hash.slice(0, 11)}${side === 0 ? "a" : "b"}`;
  }
}

/** Of frames from a to b, and from b to a. */
function wishesOf({ spec }: BoxRecord): readonly [Wishes, Wishes] {
  const { aToB, bToA, schedule } = spec.spec;
  const steps = toSteps(schedule);
  return [
    { standing: aToB, steps: stepsFor("aToB", steps) },
    { standing: bToA, steps: stepsFor("bToA", steps) },
  ];
}

function settingsOf(record: BoxRecord): BoxSettings {
  const [aToB, bToA] = wishesOf(record);
  const programs = readDropPrograms(record.spec.dropPrograms);
  return { directions: [orderOf(aToB, programs), orderOf(bToA, programs)], ...startOf(record.begun) };
}
