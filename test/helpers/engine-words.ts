import type { Encryption } from "../../agent/engine/handshake/encryption.js";
import type { Step } from "../../agent/engine/impair/schedule.js";
import type { ImpairmentSettings } from "../../agent/engine/impair/settings.js";
import type { BoxView, WantedBox } from "../../agent/engine/protocol/box-protocol.js";
import type { EndView } from "../../agent/engine/protocol/end-protocol.js";
import { toDuration, toMs, toOptionalDuration } from "../../lib/duration.js";
import { DirectPath, EndSpec } from "../../proto/gen/zor/agent/v1/cable_service.js";
import { A2bSpec, A2bState } from "../../proto/gen/zor/v1/a2b.js";
import {
  Direction,
  Impairment,
  ImpairmentStats,
  type ImpairmentStep,
  JitterDistribution,
} from "../../proto/gen/zor/v1/impairment.js";
import { LinkCause, LinkEncryption, LinkPath, LinkRole, LinkState } from "../../proto/gen/zor/v1/link.js";

/** An end of a cable in words that are short to write: secrets are hex. */
export interface EndWords {
  readonly link: string;
  readonly linkUid: string;
  readonly lan: string;
  readonly role: "listener" | "dialer";
  readonly peerAddresses: readonly string[];
  readonly peerKeySha256: string;
  readonly relayAddresses?: readonly string[];
  readonly relayTicket?: string;
  readonly ticket?: string;
  readonly ticketTtlSeconds?: number;
  readonly encryption?: Encryption;
  readonly impairment?: ImpairmentWords;
}

/** What happens to the frames that an end sends. */
export interface ImpairmentWords {
  readonly standing: Partial<ImpairmentSettings>;
  readonly steps?: readonly Step[];
  readonly seed?: bigint;
}

/** The same as the engine is asked for it. */
export function endSpec(words: EndWords): EndSpec {
  const { role, encryption, peerKeySha256, ticket = "", relayTicket = "", impairment, ...same } = words;
  return EndSpec.fromPartial({
    ...same,
    peerAddresses: [...words.peerAddresses],
    relayAddresses: [...(words.relayAddresses ?? [])],
    role: role === "dialer" ? LinkRole.LINK_ROLE_DIALER : LinkRole.LINK_ROLE_LISTENER,
    peerKeySha256: Buffer.from(peerKeySha256, "hex"),
    ticket: Buffer.from(ticket, "hex"),
    relayTicket: Buffer.from(relayTicket, "hex"),
    encryption: encryption === "none" ? LinkEncryption.LINK_ENCRYPTION_NONE : LinkEncryption.LINK_ENCRYPTION_TLS,
    ...(impairment === undefined
      ? {}
      : {
          impairment: toImpairment(impairment.standing),
          schedule: (impairment.steps ?? []).map(toStep),
          seed: impairment.seed ?? 0n,
        }),
  });
}

/** The name of an enum's value without what all begin with, in small letters: "timed-out". */
function wordOf(names: Readonly<Record<number, string>>, prefix: string, value: number): string {
  return (names[value] ?? "").slice(prefix.length).toLowerCase().replaceAll("_", "-");
}

function optional(word: string): string | undefined {
  return word === "unspecified" ? undefined : word;
}

/** An end as its engine tells it, in words that are short to expect. */
export function readEnd({ status, port }: EndView) {
  const { end, direct, ...known } = status;
  return {
    ...numbersOf(end),
    ...known,
    lan: port.lan,
    role: wordOf(LinkRole, "LINK_ROLE_", end.role),
    phase: wordOf(LinkState, "LINK_STATE_", end.state),
    cause: optional(wordOf(LinkCause, "LINK_CAUSE_", end.cause)) ?? "",
    path: optional(wordOf(LinkPath, "LINK_PATH_", end.path)),
    direct: direct === DirectPath.DIRECT_PATH_UNSPECIFIED ? undefined : direct === DirectPath.DIRECT_PATH_OPEN,
    rttMs: end.rtt === undefined ? undefined : toMs(end.rtt),
    rttP99Ms: end.rttP99 === undefined ? undefined : toMs(end.rttP99),
    nextTryMs: end.nextTryTime?.getTime(),
    impairment: end.impairment === undefined ? undefined : numbersOf(end.impairment),
    tap: port,
  };
}

/** See {@link readEnd}. */
export type ReadEnd = ReturnType<typeof readEnd>;

/** A box in words that are short to write. */
export interface BoxWords {
  readonly box: string;
  readonly uid: string;
  readonly lans: readonly [string, string];
  readonly aToB: Partial<ImpairmentSettings>;
  readonly bToA: Partial<ImpairmentSettings>;
  readonly steps: readonly Step[];
  readonly seed: bigint;
  readonly revision: string;
}

/** The same as the engine is asked for it. */
export function boxSpec({ box, uid, lans, aToB, bToA, steps, seed, revision }: BoxWords): WantedBox {
  const schedule = steps.map(toStep);
  const spec = { lanA: lans[0], lanB: lans[1], aToB: toImpairment(aToB), bToA: toImpairment(bToA), seed, schedule };
  return { box, uid, spec: A2bSpec.create(spec), revision, dropPrograms: [] };
}

const directions = {
  both: Direction.DIRECTION_UNSPECIFIED,
  aToB: Direction.DIRECTION_A_TO_B,
  bToA: Direction.DIRECTION_B_TO_A,
} as const;

function toStep({ startMs, durationMs, repeatMs, direction, impairment }: Step): ImpairmentStep {
  return {
    start: toDuration(startMs),
    duration: toDuration(durationMs),
    repeatEvery: repeatMs === undefined ? undefined : toDuration(repeatMs),
    direction: directions[direction],
    impairment: toImpairment(impairment),
  };
}

const distributions = {
  uniform: JitterDistribution.JITTER_DISTRIBUTION_UNIFORM,
  normal: JitterDistribution.JITTER_DISTRIBUTION_NORMAL,
  pareto: JitterDistribution.JITTER_DISTRIBUTION_PARETO,
} as const;

function toImpairment({ delayMs = 0, jitterMs = 0, ...settings }: Partial<ImpairmentSettings>): Impairment {
  return Impairment.fromPartial({
    ...settings,
    delay: toOptionalDuration(delayMs),
    jitter: toOptionalDuration(jitterMs),
    jitterDistribution: distributions[settings.jitterDistribution ?? "uniform"],
    rateBps: BigInt(settings.rateBps ?? 0),
    burstBytes: BigInt(settings.burstBytes ?? 0),
    queueBytes: BigInt(settings.queueBytes ?? 0),
  });
}

/** A box as its engine tells it, in words that are short to expect. */
export function readBox({ spec, status, ports, aToBBps, bToABps }: BoxView) {
  const side = (index: 0 | 1) => {
    const stats = (index === 0 ? status.aToB : status.bToA) ?? ImpairmentStats.create();
    const inForce = (index === 0 ? status.currentAToB : status.currentBToA) ?? Impairment.create();
    return {
      port: ports[index].name,
      plugged: ports[index].plugged,
      counters: numbersOf(stats),
      outBps: Number(index === 0 ? aToBBps : bToABps),
      inForce: { ...inForce, delayMs: toMs(inForce.delay), jitterMs: toMs(inForce.jitter) },
    };
  };
  return {
    spec,
    active: status.state === A2bState.A2B_STATE_ACTIVE,
    reason: status.reason,
    ready: ports.every(({ ready }) => ready),
    generation: ports[0].generation,
    sides: [side(0), side(1)] as const,
    seed: status.seed,
  };
}

/** See {@link readBox}. */
export type ReadBox = ReturnType<typeof readBox>;

/** The same with plain numbers, which are easier to reckon with. */
function numbersOf<Message extends object>(message: Message): WithNumbers<Message> {
  const entries = Object.entries(message).map(([name, value]) => [
    name,
    typeof value === "bigint" ? Number(value) : value,
  ]);
  // Entry by entry what the type says.
  return Object.fromEntries(entries) as WithNumbers<Message>;
}

type WithNumbers<Message> = {
  [Field in keyof Message]: Message[Field] extends bigint ? number : Message[Field];
};
