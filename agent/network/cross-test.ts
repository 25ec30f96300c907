import { createHash } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { bringUpQuietly } from "../../lib/net/quiet-device.js";
import { TestFrames, testEthertype } from "../../lib/net/test-frame.js";
import { PacketSocket } from "./packet-socket.js";

/** One end of a link, for a test with frames. */
export interface CrossTest {
  /** Id of the lan. */
  readonly lan: string;
  /** The link's port in it. */
  readonly port: string;
  /** Of this test; the other end has the same. */
  readonly token: Buffer;
  /** Which end this is; the other is another. */
  readonly end: "first" | "second";
}

/** What came of it. */
export interface CrossResult {
  /** Frames handed to the switch for the link's port. */
  readonly sent: number;
  /** Frames of the other end that came out at this lan's test port. */
  readonly came: number;
  /** Why none could be sent, for people; empty when they were. */
  readonly obstacle: string;
}

/** The switch's side of a test. */
export interface CrossPlace {
  readonly netns: string;
  /** Device of the lan's test port. */
  readonly testPort: string;
  /** Has the switch send a frame out of the link's port. */
  readonly send: (frame: Buffer) => Promise<void>;
}

/** The other end begins at about the same time, and is given so long. */
const windowMs = 2_500;
const intervalMs = 150;
const pollMs = 15;
/** After so many of both it is over. */
const enough = { sent: 8, came: 3 } as const;
/** Longest frame loop at once: guests do not know the addresses. */
const framesAtOnce = 64;

/**
 * Sends frames through this end's switch into a link and counts those of the other end that came through the link and this switch, as
 * frames of guests do. What is sent is for an address that the other end's test port has just made known to its switch alone.
 * @throws {SystemCallError} {ToolError}
 */
export async function crossTest(
  { token, end }: Pick<CrossTest, "token" | "end">,
  place: CrossPlace,
): Promise<CrossResult> {
  const [own, other] = end === "first" ? (["first", "second"] as const) : (["second", "first"] as const);
  const outgoing = new TestFrames(macOf(token, "source", own), macOf(token, "sink", other), token);
  const incoming = new TestFrames(macOf(token, "source", other), macOf(token, "sink", own), token);
  const ifindex = bringUpQuietly(place.netns, place.testPort);
  if (ifindex === undefined) return { sent: 0, came: 0, obstacle: "the lan's test port does not exist" };
  const kind = { destination: incoming.sink, ethertype: testEthertype };
  const socket = PacketSocket.open({ ifindex, netns: place.netns }, kind);
  try {
    return await exchange({ socket, outgoing, incoming, send: place.send });
  } finally {
    socket.close();
  }
}

async function exchange({
  socket,
  outgoing,
  incoming,
  send,
}: {
  readonly socket: PacketSocket;
  readonly outgoing: TestFrames;
  readonly incoming: TestFrames;
  readonly send: CrossPlace["send"];
}): Promise<CrossResult> {
  const endMs = performance.now() + windowMs;
  let nextMs = 0;
  let [sent, came] = [0, 0];
  while (performance.now() < endMs && (sent < enough.sent || came < enough.came)) {
    if (performance.now() >= nextMs) {
      nextMs = performance.now() + intervalMs;
      socket.send(incoming.learn());
      await send(outgoing.next());
      sent += 1;
    }
    for (let count = 0; count < framesAtOnce; count += 1) {
      const frame = socket.receive();
      if (frame === undefined) break;
      if (incoming.take(frame)) came += 1;
    }
    await delay(pollMs);
  }
  return { sent, came, obstacle: "" };
}

function macOf(token: Buffer, what: string, end: string): Buffer {
  const hash = createHash("sha256").update(`zor-cross-test\0${what}\0${end}\0`).update(token).digest();
  return Buffer.concat([Buffer.from([0x02]), hash.subarray(0, 5)]);
}
