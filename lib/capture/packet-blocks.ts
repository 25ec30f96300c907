import { status } from "@grpc/grpc-js";
import { ZorError } from "../errors.js";

const packetType = 6;
const leastBytes = 32;

/** Offsets in a packet block. */
const offsets = {
  type: 0,
  length: 4,
  interfaceId: 8,
  timeHigh: 12,
  timeLow: 16,
  kept: 20,
  frameLength: 24,
  frame: 28,
} as const;

/** Where the frame of a block lies, how much of it is kept, and how long it was. */
export function frameOf(
  view: DataView,
  at: number,
): { readonly from: number; readonly kept: number; readonly length: number } {
  const kept = view.getUint32(at + offsets.kept, true);
  return { from: at + offsets.frame, kept, length: view.getUint32(at + offsets.frameLength, true) };
}

/** How much of a run of blocks there is room for. */
export interface BlockRoom {
  readonly count: number;
  readonly bytes: number;
}

/**
 * Goes through the packet blocks in a message of the capture service, in their order, without making anything for each.
 * @throws {ZorError} DATA_LOSS for anything else: it comes from another host.
 */
export function walkPacketBlocks(view: DataView, visit: (at: number, length: number) => void): void {
  const size = view.byteLength;
  for (let at = 0; at < size; ) {
    if (size - at < leastBytes || view.getUint32(at, true) !== packetType) throw malformed();
    const length = view.getUint32(at + offsets.length, true);
    if (length < leastBytes || length % 4 !== 0 || length > size - at) throw malformed();
    if (view.getUint32(at + length - 4, true) !== length) throw malformed();
    if (view.getUint32(at + offsets.kept, true) > length - leastBytes) throw malformed();
    visit(at, length);
    at += length;
  }
}

/** Interface of a block. */
export function interfaceOf(view: DataView, at: number): number {
  return view.getUint32(at + offsets.interfaceId, true);
}

/** Gives a block another interface. */
export function setInterface(view: DataView, at: number, interfaceId: number): void {
  view.setUint32(at + offsets.interfaceId, interfaceId, true);
}

/** Time of a block in nanoseconds since 1970, as two words: as one number it would lose its last digits. */
const twoTo32 = 2 ** 32;

/** Nanoseconds from `since`, a number of 2^32 ns, to the time of a block: exact for a hundred days on either side. */
export function timeOf(view: DataView, at: number, since: number): number {
  const high = view.getUint32(at + offsets.timeHigh, true);
  return (high - since) * twoTo32 + view.getUint32(at + offsets.timeLow, true);
}

/** Gives a block the time that {@link timeOf} tells. */
export function setTime(view: DataView, at: number, time: { readonly since: number; readonly ns: number }): void {
  const high = Math.floor(time.ns / twoTo32);
  view.setUint32(at + offsets.timeHigh, (time.since + high) >>> 0, true);
  view.setUint32(at + offsets.timeLow, time.ns - high * twoTo32, true);
}

/** The time of a block in units of 2^32 ns, rounded down. */
export function epochOf(view: DataView, at: number): number {
  return view.getUint32(at + offsets.timeHigh, true);
}

/** How many of these whole blocks there is room for, and where the first one lies that there is none for. */
export function fitBlocks(blocks: Buffer, room: BlockRoom): BlockRoom {
  let [count, at] = [0, 0];
  while (at < blocks.length && count < room.count) {
    const length = blocks.readUInt32LE(at + offsets.length);
    if (at + length > room.bytes) break;
    at += length;
    count += 1;
  }
  return { count, bytes: at };
}

function malformed(): ZorError {
  return new ZorError({
    reason: "BAD_CAPTURE",
    code: status.DATA_LOSS,
    message: "a host sent something that is no packet block of pcapng; its agent is broken, or not its own",
  });
}
