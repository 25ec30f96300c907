import { once } from "node:events";
import type { Socket } from "node:net";
import {
  challengeOf,
  encodeRelayPreamble,
  RelayStatus,
  relayGreetingBytes,
  relayParkMs,
} from "../../../lib/relay-preamble.js";
import type { RelayRole } from "../../../lib/relay-role.js";
import { timeLimit } from "../../../lib/time-limit.js";
import { CableFailure, type FailureKind } from "./failure.js";

/** Longest time for the relay's answer: it lets the other end come, and says when it did not. */
const answerMs = relayParkMs + 10_000;
/** Longest time for its greeting, which it sends at once. */
const greetingMs = 10_000;

/** Why the relay did not join two ends. */
export class RelayRefusal extends CableFailure {
  /** What is known of when another attempt makes sense. */
  readonly advice: RelayAdvice;

  constructor(kind: FailureKind, advice: RelayAdvice, message: string) {
    super(kind, message);
    this.name = "RelayRefusal";
    this.advice = advice;
  }
}

/** Whether to come back at once, after a while, or only after something has changed at the hub. */
type RelayAdvice = "at-once" | "later" | "hopeless";

const refusals: Readonly<Record<number, readonly [FailureKind, RelayAdvice, string]>> = {
  [RelayStatus.BadPreamble]: ["version", "hopeless", "the relay speaks another version"],
  [RelayStatus.NotAuthorised]: ["relay", "later", "the relay does not accept this end's ticket"],
  [RelayStatus.TimedOut]: ["timed-out", "at-once", "the other end did not come to the relay"],
  [RelayStatus.Replaced]: ["relay", "at-once", "another connection of this end took its place at the relay"],
  [RelayStatus.Busy]: ["relay", "later", "the relay serves as many connections as it can"],
  [RelayStatus.Copy]: [
    "relay",
    "later",
    "another host with this one's identity holds this end at the relay, from another address; its state directory was copied: give the copy an identity of its own (zor host add, zor agent join), or stop it",
  ],
  [RelayStatus.Gone]: ["relay", "later", "the relay does not know this end any more"],
  [RelayStatus.ShuttingDown]: ["relay", "later", "the relay is ending"],
};

/**
 * Asks the relay, on a socket just connected to it, for the other end of a link and waits until that is there.
 * From then on every byte of the socket is the other end's.
 * @throws {RelayRefusal} @throws {CableFailure}
 */
export async function meetAtRelay(
  socket: Socket,
  options: {
    readonly linkUid: string;
    readonly role: RelayRole;
    readonly ticket: Buffer;
    readonly signal: AbortSignal;
  },
): Promise<void> {
  const { linkUid, role, ticket, signal } = options;
  const greeting = await take(socket, relayGreetingBytes, AbortSignal.any([signal, timeLimit(greetingMs)]));
  const challenge = challengeOf(greeting);
  if (challenge === undefined) throw new RelayRefusal("version", "hopeless", "the relay speaks another version");
  socket.write(encodeRelayPreamble({ linkUid, role }, { ticket, challenge }));
  const [status = 0xff] = await take(socket, 1, AbortSignal.any([signal, timeLimit(answerMs)]));
  if (status === RelayStatus.Paired) return;
  const [kind, advice, message] = refusals[status] ?? [
    "version",
    "hopeless",
    `the relay answers ${status}, which this version does not know`,
  ];
  throw new RelayRefusal(kind, advice, message);
}

/** Takes so many bytes and leaves the rest, which may have come with them, in the socket. */
async function take(socket: Socket, count: number, signal: AbortSignal): Promise<Buffer> {
  for (;;) {
    // A net.Socket without encoding reads Buffers.
    const bytes = socket.read(count) as Buffer | null;
    if (bytes?.length === count) return bytes;
    if (socket.destroyed || socket.readableEnded) throw new CableFailure("relay", "the relay closed the connection");
    const ended = new AbortController();
    const onEnd = (): void => ended.abort();
    socket.once("close", onEnd).once("end", onEnd);
    try {
      await once(socket, "readable", { signal: AbortSignal.any([signal, ended.signal]) });
    } catch (error) {
      if (!ended.signal.aborted) throw new CableFailure("relay", "the relay did not answer", error);
    } finally {
      socket.off("close", onEnd).off("end", onEnd);
    }
  }
}
