import { createHash, randomBytes } from "node:crypto";
import { testEthertype } from "../../../lib/net/test-frame.js";

/** Addresses of a link's two ends for their probes. */
export interface ProbeAddresses {
  readonly own: Buffer;
  readonly other: Buffer;
}

const macBytes = 6;
const headerBytes = 14;
const magic = Buffer.from("ZORV\x01", "latin1");
const sessionBytes = 8;
const sessionAt = headerBytes + magic.length;
const sequenceAt = sessionAt + sessionBytes;
const echoAt = sequenceAt + 4;
/** Shortest frame of Ethernet, without its check sum. */
const frameBytes = 60;

interface Heard {
  readonly session: Buffer;
  readonly sequence: number;
}

/**
 * The addresses of a link that guests do not know. A probe goes from an end's address to the very same: the switch at the other end
 * gets it from the port at which it has just learned that address, so it goes nowhere, and no switch lets such frames of guests through.
 */
export function probeAddresses(linkUid: string, role: "listener" | "dialer"): ProbeAddresses {
  const [own, other] = role === "listener" ? ["listener", "dialer"] : ["dialer", "listener"];
  const macOf = (end: string): Buffer =>
    Buffer.concat([
      Buffer.from([0x02]),
      createHash("sha256").update(`zor-vxlan-probe\0${end}\0${linkUid}`).digest().subarray(0, 5),
    ]);
  return { own: macOf(own), other: macOf(other) };
}

/**
 * One end's part of the probes of a vxlan link, which has no connection that could tell whether frames arrive. Each probe carries a
 * number of its own and repeats the last one of the other end, so that whoever reads its own number has frames cross both ways.
 * A frame: Ethernet header, "ZORV", version 1, session (8 bytes, new with every agent's start) and number (4) of the sender, and the
 * session and number last heard, or zeros.
 */
export class ProbeExchange {
  readonly #session = randomBytes(sessionBytes);
  readonly #addresses: ProbeAddresses;
  #sent = 0;
  #answered = 0;
  #heard: Heard | undefined;

  constructor(addresses: ProbeAddresses) {
    this.#addresses = addresses;
  }

  /** The next frame to send. */
  next(): Buffer {
    this.#sent += 1;
    const frame = Buffer.alloc(frameBytes);
    headerOf(this.#addresses.own).copy(frame);
    magic.copy(frame, headerBytes);
    this.#session.copy(frame, sessionAt);
    frame.writeUInt32BE(this.#sent, sequenceAt);
    if (this.#heard !== undefined) {
      this.#heard.session.copy(frame, echoAt);
      frame.writeUInt32BE(this.#heard.sequence, echoAt + sessionBytes);
    }
    return frame;
  }

  /** Takes a frame that came. True: the other end has got one of ours after all that it had told of before. */
  take(frame: Buffer): boolean {
    const isProbe =
      frame.length >= frameBytes &&
      frame.subarray(0, headerBytes).equals(headerOf(this.#addresses.other)) &&
      frame.subarray(headerBytes, sessionAt).equals(magic);
    const session = frame.subarray(sessionAt, sequenceAt);
    // A loop somewhere may bring back our own.
    if (!isProbe || session.equals(this.#session)) return false;
    const sequence = frame.readUInt32BE(sequenceAt);
    const isOld = this.#heard?.session.equals(session) === true && sequence <= this.#heard.sequence;
    if (!isOld) this.#heard = { session: Buffer.from(session), sequence };
    const echoed = frame.readUInt32BE(echoAt + sessionBytes);
    const isOurs = frame.subarray(echoAt, echoAt + sessionBytes).equals(this.#session) && echoed <= this.#sent;
    if (!isOurs || echoed <= this.#answered) return false;
    this.#answered = echoed;
    return true;
  }
}

function headerOf(mac: Buffer): Buffer {
  const header = Buffer.alloc(headerBytes);
  mac.copy(header);
  mac.copy(header, macBytes);
  header.writeUInt16BE(testEthertype, headerBytes - 2);
  return header;
}
