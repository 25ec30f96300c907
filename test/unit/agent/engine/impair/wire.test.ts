import fc from "fast-check";
import { expect, test } from "vitest";
import { flipBit, WireSize } from "../../../../../agent/engine/impair/wire.js";
import { PipelineRig, vnetBytes } from "./pipeline-rig.js";

const [needsChecksum, tcp4, udp] = [1, 1, 5];

function header(options: { flags?: number; gso?: number; segment?: number; start?: number; offset?: number }): Buffer {
  const bytes = Buffer.alloc(vnetBytes);
  bytes[0] = options.flags ?? 0;
  bytes[1] = options.gso ?? 0;
  bytes.writeUInt16LE(options.segment ?? 0, 4);
  bytes.writeUInt16LE(options.start ?? 0, 6);
  bytes.writeUInt16LE(options.offset ?? 0, 8);
  return bytes;
}

/** An ethernet frame with IPv4 and TCP headers of the usual 54 bytes and so much payload. */
function tcpFrame(payload: number, options: object): Buffer {
  const frame = Buffer.concat([header({ start: 34, offset: 16, ...options }), Buffer.alloc(54 + payload, 7)]);
  frame[vnetBytes + 34 + 12] = 5 << 4;
  return frame;
}

function measure(frame: Buffer): [number, number] {
  const size = new WireSize();
  size.measure(frame, 0, frame.length);
  return [size.frames, size.bytes];
}

test("a plain frame is one frame of its own length", () => {
  expect(measure(tcpFrame(1_446, {}))).toEqual([1, 1_500]);
});

test("a super-frame of TCP counts as the segments it becomes, each with its headers", () => {
  expect(measure(tcpFrame(64_240, { gso: tcp4, segment: 1_460 }))).toEqual([44, 64_240 + 44 * 54]);
  expect(measure(tcpFrame(1_461, { gso: tcp4, segment: 1_460 }))).toEqual([2, 1_461 + 2 * 54]);
  expect(measure(tcpFrame(1_460, { gso: tcp4, segment: 1_460 }))).toEqual([1, 1_460 + 54]);
});

test("a super-frame of UDP counts as the segments it becomes", () => {
  const frame = Buffer.concat([header({ gso: udp, segment: 1_000, start: 34 }), Buffer.alloc(42 + 3_500)]);
  expect(measure(frame)).toEqual([4, 3_500 + 4 * 42]);
});

test("no header, however wrong, makes the measure fail or come out at less than the frame", () => {
  const property = fc.property(fc.uint8Array({ minLength: vnetBytes + 14, maxLength: 200 }), (bytes) => {
    const [frames, wireBytes] = measure(Buffer.from(bytes));
    expect(frames).toBeGreaterThanOrEqual(1);
    expect(wireBytes).toBeGreaterThanOrEqual(bytes.length - vnetBytes);
    flipBit(Buffer.from(bytes), 0, bytes.length, 0.999);
  });
  fc.assert(property, { seed: 1, numRuns: 500 });
});

test("a checksum that was left for later is completed before the bit is flipped, so that the flip is seen", () => {
  const frame = tcpFrame(101, { flags: needsChecksum });
  // Until then its place holds the sum of the pseudo header, here that of nothing.
  frame.writeUInt16BE(0, vnetBytes + 34 + 16);
  const whole = frame.toString("hex", vnetBytes + 34 + 18);
  expect(flipBit(frame, 0, frame.length, 0.999_999)).toBe(true);
  expect(frame[0]).toBe(0);
  expect(sum(frame.subarray(vnetBytes + 34))).not.toBe(0xffff);
  // The last bit of all: flipped back, the checksum is right.
  const last = frame.length - 1;
  frame[last] = (frame[last] ?? 0) ^ 0x80;
  expect(sum(frame.subarray(vnetBytes + 34))).toBe(0xffff);
  expect(frame.toString("hex", vnetBytes + 34 + 18)).toBe(whole);
});

test("a super-frame is not corrupted and not counted as such", () => {
  const rig = new PipelineRig({ corruptRatio: 1 });
  rig.feed(3_000, header({ gso: tcp4, segment: 1_000, start: 34 }));
  expect([rig.count("corruptedFrames"), rig.count("outFrames")]).toEqual([0, 3]);
});

function sum(bytes: Buffer): number {
  let total = 0;
  for (let index = 0; index < bytes.length; index += 2) {
    total += ((bytes[index] ?? 0) << 8) | (bytes[index + 1] ?? 0);
  }
  while (total > 0xffff) total = (total & 0xffff) + (total >>> 16);
  return total;
}
