import { epochOf, interfaceOf, timeOf, walkPacketBlocks } from "../../lib/capture/packet-blocks.js";
import { directions, packetBlockBytes, writePacketBlock } from "../../lib/capture/pcapng.js";

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

/** Packet blocks of frames of 60 bytes that passed an interface at these seconds. */
export function framesAt(interfaceId: number, ...times: readonly number[]): Buffer {
  return Buffer.concat(
    times.map((seconds) => {
      const block = Buffer.alloc(packetBlockBytes(60));
      const sizes = { kept: 60, length: 60, direction: directions.inbound };
      writePacketBlock(new DataView(block.buffer, block.byteOffset), 0, {
        ...sizes,
        ...{ interfaceId, seconds, nanoseconds: 0 },
      });
      return block;
    }),
  );
}
