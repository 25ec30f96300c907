import { RateMeter } from "../../../lib/rate-meter.js";
import type { Figures } from "../frames/stats.js";

/** Figures that are the same are told again after so long: round trips are measured all the time. */
const refreshMs = 5_000;
/** A round trip that has changed by less than both is no news. */
const rttChange = { ms: 0.2, ratio: 0.25 } as const;

/**
 * The throughput of an end, and whether its figures are worth telling. Those of an idle cable hardly change: to tell every second of hundreds of
 * them would cost the engine, the agent, the hub and every screen more than the cables themselves. Pure: times are milliseconds of
 * any steady clock.
 */
export class FiguresNews {
  readonly #rates = new RateMeter();
  #told = "";
  #rtt = { rttMs: 0, rttP99Ms: 0 };
  #toldMs = Number.NEGATIVE_INFINITY;

  /** Bits per second of the last seconds. */
  rates(): ReturnType<RateMeter["read"]> {
    return this.#rates.read();
  }

  /** Call once a second. True when the figures should be told now; they count as told then. */
  sample(figures: Figures, nowMs: number): boolean {
    this.#rates.sample(nowMs, figures);
    const rates = this.#rates.read();
    const { txFrames, rxFrames, droppedQueueFrames, droppedDownFrames, droppedPortFrames } = figures;
    const frames = [txFrames, rxFrames, droppedQueueFrames, droppedDownFrames, droppedPortFrames];
    const text = [...frames, figures.lossRatio, figures.mtuProven, rates.txBps, rates.rxBps].join(" ");
    const { rttMs, rttP99Ms } = figures;
    const moved = differs(rttMs, this.#rtt.rttMs) || differs(rttP99Ms, this.#rtt.rttP99Ms);
    if (text === this.#told && !moved && nowMs - this.#toldMs < refreshMs) return false;
    this.#told = text;
    this.#rtt = { rttMs, rttP99Ms };
    this.#toldMs = nowMs;
    return true;
  }
}

function differs(ms: number, toldMs: number): boolean {
  const change = Math.abs(ms - toldMs);
  return change > rttChange.ms && change > toldMs * rttChange.ratio;
}
