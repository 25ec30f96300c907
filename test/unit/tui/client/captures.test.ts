import { describe, expect, it } from "vitest";
import { parseBytes, parseRing, ringFile } from "../../../../tui/cli/capture/capture-output.js";
import { offsetOf } from "../../../../tui/client/captures/host-clock.js";
import { type Blocks, Merger } from "../../../../tui/client/captures/merger.js";
import { PcapngOutput } from "../../../../tui/client/captures/pcapng-output.js";
import { framesAt, packetBlocks } from "../../../helpers/packet-blocks.js";
import { readPcapng } from "../../../helpers/pcapng-reader.js";

const second = 1_000_000_000n;

const blocksOf = (released: readonly Blocks[]) => released.flatMap(({ bytes }) => packetBlocks(bytes));
const timesOf = (released: readonly Blocks[]): number[] =>
  blocksOf(released).map(({ timeNs }) => Number(timeNs / second));
const map = (offsetSeconds: number, id: number) => ({
  offsetNs: BigInt(offsetSeconds) * second,
  interfaceOf: () => id,
});

describe("frames of several hosts", () => {
  it("come in the order of their times here, once no earlier one can come", () => {
    const merger = new Merger(["alpha", "beta"]);
    // The clock of beta is 90 s ahead.
    merger.add(framesAt(0, 100, 103), map(0, 0));
    merger.completeUntil("alpha", 104n * second, map(0, 0));
    expect(merger.release()).toEqual([]);
    merger.add(framesAt(0, 191, 192), map(90, 1));
    merger.completeUntil("beta", 193n * second, map(90, 1));
    const released = merger.release();
    expect(timesOf(released)).toEqual([100, 101, 102]);
    expect(blocksOf(released).map(({ interfaceId }) => interfaceId)).toEqual([0, 1, 1]);
    expect(timesOf(merger.release(true))).toEqual([103]);
    expect(merger.lateFrames).toBe(0);
  });

  it("that lie in order are given out as they came, and in turn where they do not", () => {
    const merger = new Merger(["alpha", "beta"]);
    merger.add(framesAt(0, 1, 2, 3, 7, 8, 5, 6), map(0, 0));
    merger.add(framesAt(0, 4, 5, 9), map(0, 1));
    const released = merger.release(true);
    expect(timesOf(released)).toEqual([1, 2, 3, 4, 5, 5, 6, 7, 8, 9]);
    expect(blocksOf(released).map(({ interfaceId }) => interfaceId)).toEqual([0, 0, 0, 1, 0, 1, 0, 0, 0, 1]);
    expect(released.map(({ count }) => count)).toEqual([3, 1, 1, 1, 1, 2, 1]);
    merger.add(framesAt(0, 10, 12), map(0, 0));
    merger.completeUntil("alpha", 11n * second, map(0, 0));
    merger.leave("beta");
    expect(timesOf(merger.release())).toEqual([10]);
    merger.completeUntil("alpha", 13n * second, map(0, 0));
    expect(timesOf(merger.release())).toEqual([12]);
    expect(merger.release(true)).toEqual([]);
    expect(merger.lateFrames).toBe(0);
  });

  it("keep their times to the nanosecond when a clock is far off", () => {
    const merger = new Merger(["alpha"]);
    merger.add(framesAt(0, 1_795_806_030), { offsetNs: -3_600_000_000_007n, interfaceOf: () => 0 });
    expect(blocksOf(merger.release(true))[0]?.timeNs).toBe(1_795_809_630_000_000_007n);
  });

  it("do not wait for a host that is away, and those that come late are counted", () => {
    const merger = new Merger(["alpha", "beta"]);
    merger.add(framesAt(0, 100), map(0, 0));
    merger.completeUntil("alpha", 101n * second, map(0, 0));
    merger.leave("beta");
    expect(timesOf(merger.release())).toEqual([100]);
    merger.enter("beta");
    merger.add(framesAt(0, 99), map(0, 1));
    expect(merger.lateFrames).toBe(1);
    expect(merger.release()).toEqual([]);
  });

  it("of interfaces that were not told of are left out", () => {
    const merger = new Merger(["alpha"]);
    merger.add(framesAt(0, 100), { offsetNs: 0n, interfaceOf: () => undefined });
    expect(merger.release(true)).toEqual([]);
  });
});

describe("the clock of a host", () => {
  it.each([90n * second, 20_000_000n, 0n, -3n * second])(
    "is known to half of the round trip when it is %i ns ahead",
    (ahead) => {
      // Way there 7 ms, 2 ms in the host, way back 1 ms: the worst of all ways would be 0 and 8.
      const asked = 1_000n * second;
      const [receive, send] = [asked + 7_000_000n + ahead, asked + 9_000_000n + ahead];
      const round = { askedNs: asked, receiveNs: receive, sendNs: send, answeredNs: asked + 10_000_000n };
      const { offsetNs, errorNs } = offsetOf(round);
      expect(errorNs).toBe(4_000_000n);
      const wrongBy = offsetNs - ahead;
      expect(wrongBy <= errorNs && wrongBy >= -errorNs).toBe(true);
    },
  );
});

describe("a ring of files", () => {
  it("keeps the last ones, each of which can be read by itself", async () => {
    const files = new Map<number, Buffer[]>();
    const output = new PcapngOutput({
      open: async (number) => {
        const parts: Buffer[] = [];
        files.set(number, parts);
        return { write: async (data) => void parts.push(Buffer.from(data)), close: async () => undefined };
      },
      remove: async (number) => void files.delete(number),
      ring: { files: 2, bytes: 600 },
      application: "test",
      comment: "",
    });
    await output.begin();
    expect(await output.addInterface({ name: "a", description: "", filter: "", snapBytes: 60 })).toBe(0);
    for (let time = 1; time <= 20; time += 1) await output.packets([framesAt(0, time)]);
    await output.end([]);
    expect(files.size).toBe(2);
    const read = [...files.values()].map((parts) => readPcapng(Buffer.concat(parts)));
    expect(read.every(({ interfaces }) => interfaces.length === 1)).toBe(true);
    const times = read.flatMap((file) => file.frames.map(({ timeNs }) => Number(timeNs / second)));
    expect(times.at(-1)).toBe(20);
    expect(times).toEqual(Array.from({ length: times.length }, (_, index) => 21 - times.length + index));
    expect([...files.values()].every((parts) => Buffer.concat(parts).length <= 600)).toBe(true);
  });

  it("takes many frames at once, and has a file for one that is larger than it", async () => {
    const files = new Map<number, Buffer[]>();
    const output = new PcapngOutput({
      open: async (number) => {
        const parts: Buffer[] = [];
        files.set(number, parts);
        return { write: async (data) => void parts.push(Buffer.from(data)), close: async () => undefined };
      },
      remove: async (number) => void files.delete(number),
      ring: { files: 10, bytes: 200 },
      application: "test",
      comment: "",
    });
    await output.begin();
    await output.addInterface({ name: "a", description: "", filter: "", snapBytes: 60 });
    await output.packets([framesAt(0, 1, 2, 3), framesAt(0, 4)]);
    await output.end([]);
    const read = [...files.values()].map((parts) => readPcapng(Buffer.concat(parts)));
    expect(read.map((file) => file.frames.map(({ timeNs }) => Number(timeNs / second)))).toEqual([[1], [2], [3], [4]]);
  });

  it("has names that sort", () => {
    expect(ringFile("/tmp/x.pcapng", 2)).toBe("/tmp/x_00002.pcapng");
    expect(ringFile("x", 12)).toBe("x_00012");
  });

  it.each([
    ["5x10M", { files: 5, bytes: 10 * 1024 * 1024 }],
    ["1x64K", { files: 1, bytes: 65_536 }],
  ])("is given as %s", (text, ring) => {
    expect(parseRing(text)).toEqual(ring);
  });

  it.each(["", "5", "x10M", "0x10M", "1001x10M", "5x10", "5x", "5x-1M", "5xNaN"])("is not given as %j", (text) => {
    expect(() => parseRing(text)).toThrow("--ring");
  });
});

describe("a number of bytes", () => {
  it.each([
    ["500", 500],
    ["64K", 65_536],
    ["1.5GiB", 1_610_612_736],
    ["2MB", 2_097_152],
  ])("is given as %s", (text, bytes) => {
    expect(parseBytes("--bytes", text)).toBe(bytes);
  });

  it.each(["", "0", "-1", "1T", "ten", "1e9"])("is not given as %j", (text) => {
    expect(() => parseBytes("--bytes", text)).toThrow("--bytes");
  });
});
