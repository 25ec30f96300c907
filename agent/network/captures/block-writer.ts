import { directions, packetBlockBytes, type PacketHead, writePacketBlock } from "../../../lib/capture/pcapng.js";
import type { RingFrame } from "./packet-ring.js";

const nanosecondsPerSecond = 1_000_000_000n;
const batchBytes = 256 * 1024;
/** MAC addresses before a VLAN tag, and the tag. */
const [beforeTag, tagBytes] = [12, 4];

/** Makes packet blocks of frames in a ring. */
export class BlockWriter {
  readonly #snapBytes: number;
  readonly #shiftSeconds: number;
  readonly #shiftNanoseconds: number;
  readonly #head: PacketHead = { interfaceId: 0, seconds: 0, nanoseconds: 0, kept: 0, length: 0, direction: 0 };
  #bytes = Buffer.allocUnsafeSlow(batchBytes);
  #view = new DataView(this.#bytes.buffer);
  #used = 0;
  count = 0;

  /** @param shiftNs is added to all times. */
  constructor({ snapBytes, shiftNs }: { readonly snapBytes: number; readonly shiftNs: bigint }) {
    this.#snapBytes = snapBytes;
    // Rounded down, so that nanoseconds are never negative.
    const rest = ((shiftNs % nanosecondsPerSecond) + nanosecondsPerSecond) % nanosecondsPerSecond;
    this.#shiftNanoseconds = Number(rest);
    this.#shiftSeconds = Number((shiftNs - rest) / nanosecondsPerSecond);
  }

  get usedBytes(): number {
    return this.#used;
  }

  /** Adds a frame, with the tag that the kernel took out back in its place. */
  add(
    ring: Buffer,
    frame: RingFrame,
    { number, isOpposite }: { readonly number: number; readonly isOpposite: boolean },
  ): void {
    const tagged = frame.tag === 0 || frame.kept < beforeTag ? 0 : tagBytes;
    const kept = Math.min(frame.kept + tagged, Math.max(this.#snapBytes, beforeTag + tagBytes));
    this.#reserve(packetBlockBytes(kept));
    const head = this.#head;
    head.interfaceId = number;
    const nanoseconds = frame.nanoseconds + this.#shiftNanoseconds;
    const carry = nanoseconds >= 1e9 ? 1 : 0;
    head.seconds = (frame.seconds + this.#shiftSeconds + carry) >>> 0;
    head.nanoseconds = nanoseconds - carry * 1e9;
    head.kept = kept;
    head.length = frame.length + tagged;
    head.direction = isOpposite ? directions.inbound + directions.outbound - frame.direction : frame.direction;
    const at = writePacketBlock(this.#view, this.#used, head);
    if (tagged === 0) ring.copy(this.#bytes, at, frame.at, frame.at + kept);
    else {
      ring.copy(this.#bytes, at, frame.at, frame.at + beforeTag);
      this.#view.setUint32(at + beforeTag, frame.tag);
      ring.copy(this.#bytes, at + beforeTag + tagBytes, frame.at + beforeTag, frame.at + kept - tagBytes);
    }
    this.#used += packetBlockBytes(kept);
    this.count += 1;
  }

  /** What was added since the last time; it is the caller's. */
  take(): Uint8Array {
    const taken = new Uint8Array(this.#bytes.buffer.slice(0, this.#used));
    this.#used = 0;
    this.count = 0;
    return taken;
  }

  #reserve(bytes: number): void {
    const needed = this.#used + bytes;
    if (needed <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.#bytes.length * 2));
    this.#bytes.copy(larger, 0, 0, this.#used);
    this.#bytes = larger;
    this.#view = new DataView(larger.buffer);
  }
}
