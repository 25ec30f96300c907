import { describe, expect, it } from "vitest";
import { fitBlocks, setInterface, setTime } from "../../../../lib/capture/packet-blocks.js";
import {
  directions,
  interfaceDescription,
  interfaceStatistics,
  type PacketHead,
  packetBlockBytes,
  sectionHeader,
  writePacketBlock,
} from "../../../../lib/capture/pcapng.js";
import { packetBlocks } from "../../../helpers/packet-blocks.js";
import { readPcapng } from "../../../helpers/pcapng-reader.js";

const interfaceOf = (name: string) => ({ name, description: `${name} of a test`, filter: "icmp", snapBytes: 96 });

/** A packet block of a frame of so many bytes, each of which is its place. */
function packet(frameBytes: number, change: Partial<PacketHead> = {}): Buffer {
  const buffer = Buffer.alloc(packetBlockBytes(frameBytes), 0xee);
  const head = { interfaceId: 0, seconds: 1_800_000_000, nanoseconds: 1, kept: frameBytes, length: frameBytes };
  const at = writePacketBlock(new DataView(buffer.buffer, buffer.byteOffset), 0, {
    ...head,
    direction: directions.inbound,
    ...change,
  });
  for (let index = 0; index < frameBytes; index += 1) buffer[at + index] = index;
  return buffer;
}

describe("a pcapng file", () => {
  it("holds what was written, as another reader sees it", () => {
    const file = Buffer.concat([
      sectionHeader({ application: "test", comment: "a comment, žluť" }),
      interfaceDescription(interfaceOf("alpha/c1/eth0")),
      interfaceDescription({ ...interfaceOf("beta/c2/eth0"), filter: "" }),
      packet(61, { interfaceId: 1, length: 1514, direction: directions.outbound }),
      interfaceStatistics({ interfaceId: 1, startNs: 5n, endNs: 2n ** 60n, received: 7n, dropped: 6n, delivered: 1n }),
    ]);
    const read = readPcapng(file);
    expect(read.comments).toEqual(["a comment, žluť"]);
    expect(read.interfaces).toEqual([
      { name: "alpha/c1/eth0", description: "alpha/c1/eth0 of a test", snapBytes: 96 },
      { name: "beta/c2/eth0", description: "beta/c2/eth0 of a test", snapBytes: 96 },
    ]);
    expect(read.frames).toHaveLength(1);
    expect(read.frames[0]).toMatchObject({ interfaceId: 1, length: 1514, direction: 2 });
    expect(read.frames[0]?.data).toEqual(Buffer.from(Array.from({ length: 61 }, (_, index) => index)));
    expect(read.statistics).toEqual([{ interfaceId: 1, received: 7n, dropped: 6n }]);
  });

  it.each([
    [0, 0],
    [1, 999_999_999],
    [1_795_806_030, 123_456_789],
    [4_294_967_295, 999_999_999],
  ])("tells %i s and %i ns exactly", (seconds, nanoseconds) => {
    const [block] = packetBlocks(packet(60, { seconds, nanoseconds }));
    expect(block?.timeNs).toBe(BigInt(seconds) * 1_000_000_000n + BigInt(nanoseconds));
  });

  it.each([0, 1, 2, 3, 4, 59, 60, 1514, 65_549])("pads a frame of %i bytes with zeros", (frameBytes) => {
    const block = packet(frameBytes);
    expect(block.length % 4).toBe(0);
    const padding = block.subarray(28 + frameBytes, 28 + Math.ceil(frameBytes / 4) * 4);
    expect([...padding].every((byte) => byte === 0)).toBe(true);
    expect(packetBlocks(block)).toHaveLength(1);
  });

  it("keeps texts that are too long short, and whole characters", () => {
    const file = sectionHeader({ application: "test", comment: "ž".repeat(10_000) });
    expect(readPcapng(file).comments[0]).toMatch(/^ž{4096}$/);
  });
});

describe("packet blocks of another host", () => {
  it("are found one after the other, and given other interfaces and times", () => {
    const blocks = Buffer.concat([packet(60), packet(61, { interfaceId: 3 })]);
    const [first, second] = packetBlocks(blocks);
    expect(second).toMatchObject({ interfaceId: 3, at: first?.length });
    const view = new DataView(blocks.buffer, blocks.byteOffset, blocks.length);
    setInterface(view, second?.at ?? 0, 9);
    setTime(view, second?.at ?? 0, { since: 300, ns: 2 ** 40 - 1 });
    const timeNs = 300n * 2n ** 32n + 2n ** 40n - 1n;
    expect(packetBlocks(blocks)[1]).toMatchObject({ interfaceId: 9, timeNs });
    expect(fitBlocks(blocks, { count: 1, bytes: 10_000 })).toEqual({ count: 1, bytes: first?.length });
    expect(fitBlocks(blocks, { count: 5, bytes: blocks.length - 1 })).toEqual({ count: 1, bytes: first?.length });
    expect(fitBlocks(blocks, { count: 5, bytes: 10_000 })).toEqual({ count: 2, bytes: blocks.length });
  });

  it.each([
    ["another kind of block", () => interfaceDescription(interfaceOf("x"))],
    ["half a block", () => packet(60).subarray(0, 40)],
    ["a length that leads out", () => lie(4, 0xffff_fffc)],
    ["a length that stands still", () => lie(4, 0)],
    ["two lengths that differ", () => lie(packetBlockBytes(60) - 4, 8)],
    ["a frame that is longer than its block", () => lie(20, 61_000)],
  ])("are refused for %s", (_, make) => {
    expect(() => packetBlocks(make())).toThrow("no packet block");
  });
});

function lie(at: number, value: number): Buffer {
  const block = packet(60);
  block.writeUInt32LE(value, at);
  return block;
}
