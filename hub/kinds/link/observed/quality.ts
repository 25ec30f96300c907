import { LinkCause } from "../../../../proto/gen/zor/v1/link.js";

/** What both ends of a connected link tell at one moment. */
export interface QualitySample {
  readonly atMs: number;
  /** Part of the last probes lost, 0 to 1. */
  readonly lossRatio: number;
  readonly rttP99Ms: number | undefined;
  readonly aToB: DirectionSample;
  readonly bToA: DirectionSample;
  /** It goes through the relay although one of the hosts can be dialled. */
  readonly detour: boolean;
}

/** Frames of one direction so far. */
export interface DirectionSample {
  readonly sent: bigint;
  readonly received: bigint;
  /** Frames are impaired on purpose: that few arrive means nothing. */
  readonly impaired: boolean;
}

/** Something wrong with a link that carries frames. */
export interface QualityFault {
  readonly cause: LinkCause;
  /** For people. */
  readonly reason: string;
}

type Rule = "oneWay" | "loss" | "latency" | "detour";

/** What is known of the quality of one link. Values, so that every step can be tested. */
export interface Quality {
  readonly atMs: number;
  /** Smoothed over about 15 s. */
  readonly lossRatio: number;
  /** Smoothed over about 10 s; undefined: not measured. */
  readonly p99Ms: number | undefined;
  /** What the p99 usually is: smoothed over minutes. */
  readonly usualP99Ms: number | undefined;
  /** When the usual was first measured. */
  readonly usualSinceMs: number;
  readonly aToB: DirectionWindow;
  readonly bToA: DirectionWindow;
  readonly detourSinceMs: number | undefined;
  /** Rules that are broken, each since when. */
  readonly broken: Readonly<Partial<Record<Rule, number>>>;
}

/** A direction since frames of it last arrived. */
interface DirectionWindow {
  /** Counts at that time. */
  readonly sent: bigint;
  readonly received: bigint;
  /** Frames sent since, of which none has arrived. */
  readonly missing: bigint;
  /** When the first of them was seen to be missing. */
  readonly missingSinceMs: number | undefined;
}

const lossSmoothMs = 15_000;
const p99SmoothMs = 10_000;
const usualSmoothMs = 300_000;
/** While it is far off, what is usual follows slowly: a lasting change is the new usual within the hour, a peak is not. */
const usualWhileBrokenMs = 1_800_000;
const warmUpMs = 30_000;
/** A rule that was broken stays so at least this long: a link on the edge must not flap. */
const dwellMs = 30_000;
const lossLimit = { enter: 0.02, leave: 0.01 };
const latencyLimit = {
  enter: (usualMs: number): number => Math.max(5 * usualMs, usualMs + 50),
  leave: (usualMs: number): number => Math.max(3 * usualMs, usualMs + 25),
};
const oneWayMs = 5000;
const oneWayFrames = 20n;
const detourMs = 15_000;

/** The quality after one more sample. `undefined` begins: the link has just been connected. */
export function nextQuality(before: Quality | undefined, sample: QualitySample): Quality {
  const { atMs } = sample;
  const passedMs = before === undefined ? 0 : Math.max(0, atMs - before.atMs);
  const p99Ms = smooth(before?.p99Ms, sample.rttP99Ms, passedMs, p99SmoothMs);
  const usualMs = before?.broken.latency === undefined ? usualSmoothMs : usualWhileBrokenMs;
  const next = {
    atMs,
    lossRatio: smooth(before?.lossRatio ?? 0, sample.lossRatio, passedMs, lossSmoothMs) ?? 0,
    p99Ms,
    usualP99Ms: smooth(before?.usualP99Ms, sample.rttP99Ms, passedMs, usualMs),
    usualSinceMs: before?.usualP99Ms === undefined ? atMs : before.usualSinceMs,
    aToB: nextWindow(before?.aToB, sample.aToB, atMs),
    bToA: nextWindow(before?.bToA, sample.bToA, atMs),
    detourSinceMs: sample.detour ? (before?.detourSinceMs ?? atMs) : undefined,
  };
  return { ...next, broken: judge(before?.broken ?? {}, next) };
}

/** The gravest thing wrong; undefined when nothing is. */
export function faultOf(quality: Quality, names: { readonly a: string; readonly b: string }): QualityFault | undefined {
  const { broken, lossRatio, p99Ms, usualP99Ms } = quality;
  if (broken.oneWay !== undefined) {
    const [from, to] = isStuck(quality.bToA, quality.atMs) ? [names.b, names.a] : [names.a, names.b];
    return { cause: LinkCause.LINK_CAUSE_ONE_WAY, reason: `frames that ${from} sends do not arrive at ${to}` };
  }
  if (broken.loss !== undefined) {
    return {
      cause: LinkCause.LINK_CAUSE_LOSS,
      reason: `${(lossRatio * 100).toFixed(1)} % of the probes are lost or late`,
    };
  }
  if (broken.latency !== undefined) {
    const text = (ms = 0): string => ms.toFixed(ms < 10 ? 1 : 0);
    return {
      cause: LinkCause.LINK_CAUSE_LATENCY,
      reason: `the round trip (p99) is ${text(p99Ms)} ms; usually it is ${text(usualP99Ms)} ms`,
    };
  }
  if (broken.detour !== undefined) {
    return {
      cause: LinkCause.LINK_CAUSE_RELAYED,
      reason: "it goes through the relay although a direct path is expected",
    };
  }
  return undefined;
}

function judge(before: Quality["broken"], now: Omit<Quality, "broken">): Quality["broken"] {
  const { atMs, lossRatio, p99Ms, usualP99Ms, usualSinceMs, detourSinceMs } = now;
  const isWarm = usualP99Ms !== undefined && atMs - usualSinceMs >= warmUpMs;
  const far = (limit: (usual: number) => number): boolean => isWarm && p99Ms !== undefined && p99Ms > limit(usualP99Ms);
  const isOneWay = isStuck(now.aToB, atMs) || isStuck(now.bToA, atMs);
  const isDetour = detourSinceMs !== undefined && atMs - detourSinceMs >= detourMs;
  const rules: readonly (readonly [Rule, enter: boolean, stay: boolean, dwell: number])[] = [
    // These two are facts, not measurements near a limit: they end when they end.
    ["oneWay", isOneWay, isOneWay, 0],
    ["detour", isDetour, isDetour, 0],
    ["loss", lossRatio > lossLimit.enter, lossRatio > lossLimit.leave, dwellMs],
    ["latency", far(latencyLimit.enter), far(latencyLimit.leave), dwellMs],
  ];
  const broken: Partial<Record<Rule, number>> = {};
  for (const [rule, enter, stay, dwell] of rules) {
    const since = before[rule];
    if (since === undefined ? enter : stay || atMs - since < dwell) broken[rule] = since ?? atMs;
  }
  return broken;
}

function nextWindow(before: DirectionWindow | undefined, sample: DirectionSample, atMs: number): DirectionWindow {
  const restarted = before === undefined || sample.sent < before.sent || sample.received < before.received;
  if (restarted || sample.impaired || sample.received > before.received) {
    return { sent: sample.sent, received: sample.received, missing: 0n, missingSinceMs: undefined };
  }
  const missing = sample.sent - before.sent;
  return { ...before, missing, missingSinceMs: missing === 0n ? undefined : (before.missingSinceMs ?? atMs) };
}

function isStuck({ missing, missingSinceMs }: DirectionWindow, atMs: number): boolean {
  return missingSinceMs !== undefined && missing >= oneWayFrames && atMs - missingSinceMs >= oneWayMs;
}

/** Follows a value: after `timeMs` two thirds of a change are in. Undefined values change nothing. */
function smooth(
  before: number | undefined,
  value: number | undefined,
  passedMs: number,
  timeMs: number,
): number | undefined {
  if (value === undefined || before === undefined) return value ?? before;
  return before + (value - before) * (1 - Math.exp(-passedMs / timeMs));
}
