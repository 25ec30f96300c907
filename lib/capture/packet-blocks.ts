import { status } from "@grpc/grpc-js";
import { ZorError } from "../errors.js";

/** A packet block among others, in a buffer that holds whole ones. */
export interface PacketBlock {
  /** Offset of the block, and bytes of it. */
  readonly at: number;
  readonly length: number;
  readonly interfaceId: number;
  /** Nanoseconds since 1970. */
  readonly timeNs: bigint;
}

const packetType = 6;
const leastBytes = 32;

/**
 * The packet blocks in a message of the capture service, in their order.
 * @throws {ZorError} DATA_LOSS for anything else: it comes from another host.
 */
export function* packetBlocks(bytes: Buffer): Generator<PacketBlock> {
  for (let at = 0; at < bytes.length; ) {
    if (bytes.length - at < leastBytes || bytes.readUInt32LE(at) !== packetType) throw malformed();
    const length = bytes.readUInt32LE(at + 4);
    if (length < leastBytes || length % 4 !== 0 || length > bytes.length - at) throw malformed();
    if (bytes.readUInt32LE(at + length - 4) !== length || bytes.readUInt32LE(at + 20) > length - leastBytes)
      throw malformed();
    const timeNs = (BigInt(bytes.readUInt32LE(at + 12)) << 32n) | BigInt(bytes.readUInt32LE(at + 16));
    yield { at, length, interfaceId: bytes.readUInt32LE(at + 8), timeNs };
    at += length;
  }
}

/** Gives a block another interface and time. */
export function restamp(
  bytes: Buffer,
  at: number,
  to: { readonly interfaceId: number; readonly timeNs: bigint },
): void {
  bytes.writeUInt32LE(to.interfaceId, at + 8);
  bytes.writeUInt32LE(Number((to.timeNs >> 32n) & 0xffff_ffffn), at + 12);
  bytes.writeUInt32LE(Number(to.timeNs & 0xffff_ffffn), at + 16);
}

function malformed(): ZorError {
  return new ZorError({
    reason: "BAD_CAPTURE",
    code: status.DATA_LOSS,
    message: "a host sent something that is no packet block of pcapng; its agent is broken, or not its own",
  });
}
