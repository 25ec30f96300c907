import { randomBytes } from "node:crypto";

/** Ethertype of probes: IEEE 802's first local experimental one. */
export const probeEthertype = 0x88b5;

/** Where probes go: an address that IEEE 802.1Q reserves, which switches keep to themselves. */
export const probeDestination: Buffer = Buffer.from("0180c200000e", "hex");
/** From a locally administered address. */
const header = Buffer.concat([probeDestination, Buffer.from("02000000000188b5", "hex")]);
const magic = Buffer.from("ZORV\x01", "latin1");
const sessionBytes = 8;
const sessionAt = header.length + magic.length;
const sequenceAt = sessionAt + sessionBytes;
const echoAt = sequenceAt + 4;
/** Shortest frame of Ethernet, without its check sum. */
const frameBytes = 60;

interface Heard {
  readonly session: Buffer;
  readonly sequence: number;
}

/**
 * One end's part of the probes of a vxlan link, which has no connection that could tell whether frames arrive. Each probe carries a
 * number of its own and repeats the last one of the other end, so that whoever reads its own number has frames cross both ways.
 * A frame: Ethernet header, "ZORV", version 1, session (8 bytes, new with every agent's start) and number (4) of the sender, and the
 * session and number last heard, or zeros.
 */
export class ProbeExchange {
  readonly #session = randomBytes(sessionBytes);
  #sent = 0;
  #answered = 0;
  #heard: Heard | undefined;

  /** The next frame to send. */
  next(): Buffer {
    this.#sent += 1;
    const frame = Buffer.alloc(frameBytes);
    header.copy(frame);
    magic.copy(frame, header.length);
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
      // Guests can send whatever they like, but no switch lets frames to this address through.
      frame.subarray(0, header.length).equals(header) &&
      frame.subarray(header.length, sessionAt).equals(magic);
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
