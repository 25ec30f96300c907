import { epochOf, interfaceOf, timeOf, walkPacketBlocks } from "../../lib/capture/packet-blocks.js";

/** A packet block among others. */
export interface PacketBlock {
  readonly at: number;
  readonly length: number;
  readonly interfaceId: number;
  /** Nanoseconds since 1970. */
  readonly timeNs: bigint;
}

/** The packet blocks in a buffer that holds whole ones. @throws {ZorError} DATA_LOSS for anything else. */
export function packetBlocks(bytes: Buffer): readonly PacketBlock[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const blocks: PacketBlock[] = [];
  walkPacketBlocks(view, (at, length) => {
    const since = epochOf(view, at);
    const timeNs = BigInt(since) * 2n ** 32n + BigInt(timeOf(view, at, since));
    blocks.push({ at, length, interfaceId: interfaceOf(view, at), timeNs });
  });
  return blocks;
}
