import { createHmac, timingSafeEqual } from "node:crypto";
import { z } from "zod";
import { quote } from "../../../lib/names.js";
import { type Encryption, encryptions } from "./encryption.js";
import { CableFailure, type FailureKind } from "./failure.js";
import type { SecureChannel } from "./secure-channel.js";
import type { TapOffload } from "../frames/tap.js";

/**
 * The cable handshake inside TLS, after the listener's greeting:
 * dialer: hello (which link, proof that it may) - listener: welcome (its own proof) or refusal - dialer: confirm. Then frames.
 * A proof is an HMAC with the ticket or the pairing secret over a value that only the two ends of this TLS session know:
 * it tells the secret to nobody and is worth nothing on another connection.
 */
const handshakeVersion = 1;

const offloads = ["uso", "tso", "none"] as const;
// An engine that does not say knows encrypted cables only.
const encryption = z.enum(encryptions).default("tls");
const secretHex = z.string().regex(/^[0-9a-f]{64}$/);

/** Characters of the reason of a refusal. */
const maxRefusal = 400;

const helloSchema = z.object({
  version: z.int(),
  linkUid: z.string().min(1).max(128),
  by: z.enum(["ticket", "pairing"]),
  proof: secretHex,
  offload: z.enum(offloads).catch("none"),
  encryption,
  // An older engine does not say.
  engine: z.string().max(64).default(""),
});

const answerSchema = z.union([
  z.object({ welcome: z.object({ proof: secretHex, offload: z.enum(offloads), encryption }) }),
  z.object({ refusal: z.object({ kind: z.string().max(40), message: z.string().max(maxRefusal) }) }),
]);

const confirmSchema = z.object({ confirm: z.literal(true) });

/** What a dialer shows to prove that it may connect. */
export interface Credential {
  readonly by: "ticket" | "pairing";
  readonly secret: Buffer;
}

/** A listener's end as a hello finds it. */
export interface ListenerEnd {
  readonly peerKeySha256: Buffer;
  readonly offload: TapOffload;
  readonly encryption: Encryption;
  /** Secrets that are good now. */
  readonly accepted: readonly Credential[];
  /** Tickets that were good once, to tell used from expired from foreign. */
  readonly spent: readonly { readonly secret: Buffer; readonly why: "used" | "expired" }[];
  /** Why an engine must not take the place of the one that is connected: both live. `from` is where it is. */
  refuseCopy(engine: string, from: string): CableFailure | undefined;
  /** Stores durably, before the welcome, that the peer may come back with this secret. */
  offerPairing(secret: Buffer): Promise<void>;
  /**
   * The dialer has confirmed: the credential, if a ticket, is used, and what was offered with it, or a secret that was offered before
   * and is now shown, holds. Durable, when something changed.
   */
  confirmPairing(credential: Credential, offered: Buffer): Promise<void>;
}

/** Result of a handshake. */
export interface HandshakeResult {
  readonly offload: TapOffload;
}

/** Runs the dialer's side. `storePairing` must be durable when it resolves. @throws {CableFailure} */
export async function dialHello(
  channel: SecureChannel,
  options: {
    readonly linkUid: string;
    readonly credential: Credential;
    readonly offload: TapOffload;
    readonly encryption: Encryption;
    readonly engine: string;
    readonly storePairing: (secret: Buffer) => Promise<void>;
    readonly signal: AbortSignal;
  },
): Promise<HandshakeResult> {
  const { linkUid, credential, signal } = options;
  channel.send({
    version: handshakeVersion,
    linkUid,
    by: credential.by,
    proof: proofOf(channel, credential, linkUid, "dialer").toString("hex"),
    offload: options.offload,
    encryption: options.encryption,
    engine: options.engine,
  });
  const answer = answerSchema.safeParse(await channel.receive(signal));
  if (!answer.success) throw new CableFailure("version", "the peer answers in a way this version does not know");
  if ("refusal" in answer.data) {
    const { kind, message } = answer.data.refusal;
    throw new CableFailure(refusalKind(kind), `peer says ${quote(message, { maxCharacters: maxRefusal })}`);
  }
  const { welcome } = answer.data;
  if (!same(Buffer.from(welcome.proof, "hex"), proofOf(channel, credential, linkUid, "listener"))) {
    throw new CableFailure("certificate", "the peer does not know the secret of this link");
  }
  if (welcome.encryption !== options.encryption) throw disagreement();
  if (credential.by === "ticket") await options.storePairing(channel.pairingSecret);
  channel.send({ confirm: true });
  return { offload: lesser(options.offload, welcome.offload) };
}

interface AcceptOptions<End> {
  readonly find: (linkUid: string) => End | undefined;
  /** Where the dialer is, for people; the same words for each try. */
  readonly from: string;
  readonly signal: AbortSignal;
}

interface Accepted<End> extends HandshakeResult {
  readonly end: End;
  /** Which engine process of the peer's it is; "": it does not tell. */
  readonly engine: string;
}

/**
 * Runs the listener's side. `find` gives the listener's end of a link, or undefined.
 * A peer that is refused is told why, except that a foreign certificate learns nothing about links.
 * @throws {CableFailure}
 */
export async function acceptHello<End extends ListenerEnd>(
  channel: SecureChannel,
  options: AcceptOptions<End>,
): Promise<Accepted<End>> {
  try {
    return await answerHello(channel, options);
  } catch (error) {
    if (error instanceof CableFailure && error.kind !== "lost") {
      channel.send({ refusal: { kind: error.kind, message: error.message } });
    }
    throw error;
  }
}

async function answerHello<End extends ListenerEnd>(
  channel: SecureChannel,
  options: AcceptOptions<End>,
): Promise<Accepted<End>> {
  const message = await channel.receive(options.signal);
  const hello = helloSchema.safeParse(message);
  const version = z.object({ version: z.int() }).safeParse(message);
  if (version.success && version.data.version !== handshakeVersion) {
    throw new CableFailure(
      "version",
      `cable protocol ${version.data.version} is not spoken here, only ${handshakeVersion}`,
    );
  }
  if (!hello.success) throw new CableFailure("protocol", "the hello is malformed");
  const { linkUid, by, proof, offload } = hello.data;
  const end = options.find(linkUid);
  if (end === undefined || !same(end.peerKeySha256, channel.peerKeySha256)) {
    throw new CableFailure("unknown-link", "no listener end of this link waits here for this certificate");
  }
  const shown = Buffer.from(proof, "hex");
  const fits = (secret: Buffer): boolean => same(shown, proofOf(channel, { by, secret }, linkUid, "dialer"));
  const credential = end.accepted.find((candidate) => candidate.by === by && fits(candidate.secret));
  if (credential === undefined) throw refusalOf(by, end.spent.find((ticket) => fits(ticket.secret))?.why);
  if (hello.data.encryption !== end.encryption) throw disagreement();
  const copied = end.refuseCopy(hello.data.engine, options.from);
  if (copied !== undefined) throw copied;
  if (by === "ticket") await end.offerPairing(channel.pairingSecret);
  const agreed = lesser(offload, end.offload);
  const proofOfListener = proofOf(channel, credential, linkUid, "listener").toString("hex");
  channel.send({ welcome: { proof: proofOfListener, offload: agreed, encryption: end.encryption } });
  if (!confirmSchema.safeParse(await channel.receive(options.signal)).success) {
    throw new CableFailure("protocol", "the confirm is malformed");
  }
  await end.confirmPairing(credential, channel.pairingSecret);
  return { end, offload: agreed, engine: hello.data.engine };
}

function disagreement(): CableFailure {
  return new CableFailure(
    "policy",
    "one end is to encrypt the link and the other is not, or is too old to leave it out",
  );
}

function refusalOf(by: Credential["by"], why: "used" | "expired" | undefined): CableFailure {
  if (by === "pairing")
    return new CableFailure("unpaired", "the two ends do not know each other; a new ticket is needed");
  if (why === "used") return new CableFailure("ticket", "the ticket was used before; a new one is needed");
  if (why === "expired") return new CableFailure("ticket", "the ticket has expired; a new one is needed");
  return new CableFailure("ticket", "the ticket is not one of this link; a new one is needed");
}

function proofOf(channel: SecureChannel, credential: Credential, linkUid: string, side: "dialer" | "listener"): Buffer {
  return createHmac("sha256", credential.secret)
    .update(`zorhub cable ${handshakeVersion} ${side} ${credential.by}\n`)
    .update(channel.bindingSecret)
    .update(linkUid, "utf8")
    .digest();
}

function same(a: Buffer, b: Buffer): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}

const refusalKinds: ReadonlySet<string> = new Set<FailureKind>([
  "ticket",
  "unpaired",
  "version",
  "unknown-link",
  "policy",
]);

function refusalKind(kind: string): FailureKind {
  // The set holds exactly the kinds that a peer may name.
  return refusalKinds.has(kind) ? (kind as FailureKind) : "peer";
}

/** What both can do. */
function lesser(a: TapOffload, b: TapOffload): TapOffload {
  return offloads[Math.max(offloads.indexOf(a), offloads.indexOf(b))] ?? "none";
}
