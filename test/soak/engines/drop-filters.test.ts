import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { DropFilters } from "../../../agent/cable/drop-filters.js";
import { BpfFilter } from "../../../agent/engine/impair/bpf-filter.js";
import { readBpfProgram } from "../../../agent/engine/protocol/drop-program.js";
import { Random } from "../../../agent/engine/impair/random.js";
import { run } from "../../../agent/host/exec.js";
import { Impairment } from "../../../proto/gen/zor/v1/impairment.js";

const frameCount = 5_000;
const random = new Random(11n, 0);
const oneOf = <T>(values: readonly T[]): T => values[Math.floor(random.next() * values.length)] as T;

/** A frame of something or other: some are cut off, some have tags, most have ports that filters ask for. */
function someFrame(): Buffer {
  const frame = Buffer.from(Array.from({ length: 120 }, () => Math.floor(random.next() * 256)));
  let at = 12;
  for (const tag of oneOf([[], [], [0x8100], [0x88a8, 0x8100]])) {
    frame.writeUInt16BE(tag, at);
    frame.writeUInt16BE(oneOf([5, 6]), at + 2);
    at += 4;
  }
  const type = oneOf([0x800, 0x800, 0x86dd, 0x806, 0x9999]);
  frame.writeUInt16BE(type, at);
  const protocol = oneOf([1, 6, 17, 58, 44]);
  const ip = at + 2;
  if (type === 0x800) {
    frame[ip] = oneOf([0x45, 0x45, 0x46, 0x4f]);
    frame.writeUInt16BE(oneOf([0, 0, 0, 100]), ip + 6);
    frame[ip + 9] = protocol;
    frame.set(
      oneOf([
        [10, 1, 2, 3],
        [192, 168, 0, 1],
      ]),
      ip + 12,
    );
  } else if (type === 0x86dd) frame[ip + 6] = protocol;
  const ports = ip + (type === 0x86dd ? 40 : ((frame[ip] ?? 0) & 15) * 4);
  if (ports + 4 <= frame.length) frame.writeUInt16BE(oneOf([80, 443, 53, 9_999]), ports + 2);
  return frame.subarray(0, oneOf([120, 120, 120, 14 + Math.floor(random.next() * 60)]));
}

/** The same as a file of pcap(5). */
function pcapOf(frames: readonly Buffer[]): Buffer {
  const header = Buffer.alloc(24);
  header.writeUInt32LE(0xa1b2c3d4, 0);
  header.writeUInt16LE(2, 4);
  header.writeUInt16LE(4, 6);
  header.writeUInt32LE(262_144, 16);
  header.writeUInt32LE(1, 20);
  const records = frames.flatMap((frame, index) => {
    const record = Buffer.alloc(16);
    record.writeUInt32LE(index, 0);
    record.writeUInt32LE(frame.length, 8);
    record.writeUInt32LE(frame.length, 12);
    return [record, frame];
  });
  return Buffer.concat([header, ...records]);
}

test.each([
  "icmp",
  "tcp port 80",
  "udp dst portrange 50-500",
  "vlan 5 and ip",
  "vlan and vlan 6 and tcp",
  "ip6 proto 58 or arp",
  "src net 10.0.0.0/8 and not tcp port 443",
  "ip[0] & 0xf != 5",
  "len > 100 and ether[0] & 1 = 1",
  "ip[8] % 3 = 1 or ip[8] / 2 > 100 or (ip[8] << 2) ^ 0x55 < 90",
  "tcp[tcpflags] & (tcp-syn|tcp-fin) != 0",
  "ip broadcast or ether multicast or ip6 multicast",
])("the engine drops the frames that tcpdump shows: %s", async (filter) => {
  const directory = await mkdtemp(join(tmpdir(), "zt-drop-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const frames = Array.from({ length: frameCount }, someFrame);
  const file = join(directory, "all.pcap");
  await writeFile(file, pcapOf(frames));
  const { stdout } = await run("tcpdump", ["-tt", "-n", "-q", "-r", file, "--", filter]);
  // The time of a frame is its number.
  const shown = new Set([...stdout.matchAll(/^(\d+)\.\d{6} /gm)].map(([, number]) => Number(number)));
  const ways = { a: Impairment.fromPartial({ dropFilter: filter }) };
  const [compiled] = await new DropFilters("zt").programs(ways, [], new AbortController().signal);
  const engine = new BpfFilter(readBpfProgram(compiled?.program ?? Buffer.alloc(0)));
  const dropped = frames.flatMap((frame, index) => (engine.matches(frame, 0, frame.length) ? [index] : []));
  expect(dropped).toEqual([...shown].sort((one, other) => one - other));
  expect(dropped.length).toBeGreaterThan(0);
  expect(dropped.length).toBeLessThan(frameCount);
});
