import { z } from "zod";
import { countersSchema } from "./box-protocol.js";
import { endSpecSchema } from "./end-record.js";

/**
 * Control protocol between agent and cable engine: JSON lines over a unix socket. The agent sends requests, the engine answers each
 * by its id, and, after "watch", sends events. Engine and agent may be of different versions: both name the protocol they speak in
 * "hello", unknown fields are ignored, and fields are only ever added. The number grows when an engine that ignores a new field would
 * make of an end what it is not to be: such an engine is replaced by the agent. 2: relays, encryption, impairments.
 */
export const engineProtocol = 2;

/** A request of the agent. */
export const requestSchema = z.discriminatedUnion("method", [
  z.object({ id: z.int(), method: z.literal("hello") }),
  z.object({ id: z.int(), method: z.literal("ensureEnd"), end: endSpecSchema }),
  z.object({
    id: z.int(),
    method: z.literal("deleteEnd"),
    link: z.string().max(80),
    /** Empty: whatever its uid. */
    linkUid: z.string().max(128),
  }),
  /** Tells whether the end's tap is plugged into its lan. */
  z.object({
    id: z.int(),
    method: z.literal("setPort"),
    linkUid: z.string().max(128),
    /** Generation of the tap this is about. */
    generation: z.string().max(64),
    /** Why it is not plugged; empty: it is. */
    fault: z.string().max(300),
  }),
  /** Tests an end; the answer takes some seconds. */
  z.object({ id: z.int(), method: z.literal("diagnose"), linkUid: z.string().max(128) }),
  z.object({ id: z.int(), method: z.literal("watch") }),
  z.object({ id: z.int(), method: z.literal("shutdown") }),
]);

/** See {@link requestSchema}. */
export type EngineRequest = z.infer<typeof requestSchema>;

/** Answer to "hello". */
export const helloSchema = z.object({
  protocol: z.int(),
  version: z.string(),
  pid: z.int(),
  startTicks: z.string(),
  /** "ip:port" of the data port. */
  listen: z.string(),
  /** The same as it was asked for; its port may be 0. Empty: an engine that does not tell. */
  requestedListen: z.string().default(""),
  netns: z.string(),
  /** Key the engine shows to others, hex. Empty: an engine that does not tell. */
  keySha256: z.string().default(""),
  /** Links may go without encryption. */
  allowPlainLinks: z.boolean().default(false),
  /** UDP super-frames may come into the host's lans. An engine that does not tell lets them. */
  udpSuperFrames: z.boolean().default(true),
  /** Damage found at the start, for people. */
  warnings: z.array(z.string()),
});

/** See {@link helloSchema}. */
export type EngineHello = z.infer<typeof helloSchema>;

/** Why an end is not active; "": not known, or it is. */
const causes = [
  "",
  "refused",
  "timed-out",
  "unreachable",
  "certificate",
  "ticket",
  "unpaired",
  "version",
  "unknown-link",
  "protocol",
  "policy",
  "relay",
  "lost",
  "peer",
  "port",
  "engine",
] as const;

/** One end as the engine sees it. Times are milliseconds since the epoch. */
export const endViewSchema = z.object({
  link: z.string(),
  linkUid: z.string(),
  lan: z.string(),
  role: z.enum(["listener", "dialer"]),
  phase: z.enum(["pending", "probing", "active", "degraded", "down"]),
  reason: z.string(),
  /** Why it is not active, for programs. A newer engine may know more causes. */
  cause: z.enum(causes).catch(""),
  /** Way of the connection in use; undefined: none. */
  path: z.enum(["direct", "relayed"]).optional(),
  /** Whether the other host's addresses can be reached by this one; undefined: not tested. */
  direct: z.boolean().optional(),
  /** Why not. */
  directReason: z.string().default(""),
  sinceMs: z.number(),
  nextTryMs: z.number().optional(),
  paired: z.boolean(),
  needsTicket: z.boolean(),
  tap: z.object({
    name: z.string(),
    /** It exists in the switch's namespace. */
    ready: z.boolean(),
    /** Changes when the tap is made anew and so must be plugged again. */
    generation: z.string(),
    plugged: z.boolean(),
  }),
  localAddress: z.string(),
  remoteAddress: z.string(),
  protection: z.string(),
  connects: z.number(),
  rttMs: z.number().optional(),
  rttP99Ms: z.number().optional(),
  /** Throughput of the last seconds, bits per second. */
  txBps: z.number().default(0),
  rxBps: z.number().default(0),
  lossRatio: z.number(),
  mtuProven: z.number(),
  txFrames: z.number(),
  txBytes: z.number(),
  rxFrames: z.number(),
  rxBytes: z.number(),
  droppedQueueFrames: z.number(),
  droppedDownFrames: z.number(),
  droppedPortFrames: z.number(),
  /** What was done to the frames the end sends; undefined: nothing is impaired. */
  impairment: countersSchema.optional(),
  /** The impairment in force lets nothing pass. */
  blocked: z.boolean().default(false),
});

/** See {@link endViewSchema}. */
export type EndView = z.infer<typeof endViewSchema>;

/** Answer to "ensureEnd". */
export const ensureEndResultSchema = z.object({ end: endViewSchema });

const diagnosisSchema = z.object({
  /** A test frame was written to the tap. */
  tapFrameSent: z.boolean(),
  /** What the other end says is wrong with it; empty: nothing. */
  peerFault: z.string(),
  connection: z
    .object({
      localAddress: z.string(),
      remoteAddress: z.string(),
      path: z.enum(["direct", "relayed"]),
      ageMs: z.number(),
    })
    .optional(),
  /** Probes sent just now; only with a connection. */
  burst: z.object({ sent: z.number(), answered: z.number(), rttMs: z.number() }).optional(),
  /** What dialling each address of the other host gives; only without a connection. Kind "": it answers with the right key. */
  attempts: z.array(z.object({ address: z.string(), kind: z.enum(causes).catch(""), reason: z.string() })),
});

/** What an engine found when it tested an end. */
export type EndDiagnosis = z.infer<typeof diagnosisSchema>;

/** Answer to "diagnose". */
export const diagnoseResultSchema = z.object({ diagnosis: diagnosisSchema });

/** An event of the engine, after "watch". */
export const endsEventSchema = z.object({
  event: z.literal("ends"),
  ends: z.array(endViewSchema),
  removed: z.array(z.string()),
  snapshot: z.boolean(),
});

/** Something changed at the engine's ends. */
export interface EndsEvent {
  readonly ends: readonly EndView[];
  /** Links whose end is gone. */
  readonly removed: readonly string[];
  /** `ends` is all there is. */
  readonly snapshot: boolean;
}
