import fc from "fast-check";
import { expect, test } from "vitest";
import {
  dataBytes,
  frameType,
  headerBytes,
  ProtocolError,
  parseFrames,
  probeBytes,
  writeHeader,
} from "../../../../../agent/engine/frames/frame.js";

interface Frame {
  readonly type: number;
  readonly payload: Uint8Array;
}

const frames = fc.array(
  fc.oneof(
    fc.record({
      type: fc.constant(frameType.data),
      payload: fc.uint8Array({ minLength: dataBytes.min, maxLength: 2_000 }),
    }),
    fc.record({
      type: fc.constantFrom(frameType.probe, frameType.echo),
      payload: fc.uint8Array({ minLength: probeBytes.min, maxLength: 100 }),
    }),
    fc.record({
      type: fc.constantFrom(frameType.goodbye, frameType.notice),
      payload: fc.uint8Array({ maxLength: 100 }),
    }),
  ),
  { maxLength: 20 },
);

function encode(list: readonly Frame[]): Buffer {
  return Buffer.concat(
    list.flatMap(({ type, payload }) => {
      const header = Buffer.alloc(headerBytes);
      writeHeader(header, 0, type, payload.length);
      return [header, payload];
    }),
  );
}

function decode(bytes: Uint8Array, start = 0, end = bytes.length): { frames: Frame[]; rest: number } {
  const found: Frame[] = [];
  const rest = parseFrames(bytes, start, end, {
    frame: (type, offset, length) => found.push({ type, payload: bytes.slice(offset, offset + length) }),
  });
  return { frames: found, rest };
}

test("what was written is read back, however the stream is cut", () => {
  fc.assert(
    fc.property(frames, fc.array(fc.integer({ min: 1, max: 3_000 }), { minLength: 1 }), (list, cuts) => {
      const bytes = encode(list);
      const read: Frame[] = [];
      let at = 0;
      for (let step = 0, end = 0; end < bytes.length; step += 1) {
        end = Math.min(bytes.length, end + (cuts[step % cuts.length] ?? 1));
        const part = decode(bytes, at, end);
        read.push(...part.frames);
        at = part.rest;
      }
      expect(at).toBe(bytes.length);
      expect(read.map(({ type, payload }) => [type, Buffer.from(payload)])).toEqual(
        list.map(({ type, payload }) => [type, Buffer.from(payload)]),
      );
    }),
  );
});

test("any bytes are either parsed within their bounds or refused as a protocol error", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), fc.nat(20), (bytes, start) => {
      try {
        const { frames: found, rest } = decode(bytes, Math.min(start, bytes.length));
        expect(rest).toBeLessThanOrEqual(bytes.length);
        for (const { payload } of found) expect(payload.length).toBeLessThanOrEqual(bytes.length);
      } catch (error) {
        expect(error).toBeInstanceOf(ProtocolError);
      }
    }),
    { numRuns: 5_000 },
  );
});

test("damage to a header is refused or changes only frames from there on", () => {
  fc.assert(
    fc.property(
      frames.filter((list) => list.length > 1),
      fc.nat(7),
      fc.integer({ min: 1, max: 255 }),
      (list, byte, flip) => {
        const bytes = encode(list);
        const [first] = list;
        if (first === undefined) return;
        const second = headerBytes + first.payload.length;
        bytes[second + byte] = (bytes[second + byte] ?? 0) ^ flip;
        const seen: number[] = [];
        try {
          parseFrames(bytes, 0, bytes.length, { frame: (_type, offset) => seen.push(offset) });
        } catch (error) {
          expect(error).toBeInstanceOf(ProtocolError);
        }
        expect(seen[0]).toBe(headerBytes);
      },
    ),
  );
});

test.each([
  ["data of length 0", frameType.data, 0],
  ["data that is shorter than an ethernet header", frameType.data, dataBytes.min - 1],
  ["data that is longer than a super-frame", frameType.data, dataBytes.max + 1],
  ["4 GiB", frameType.data, 0xffff_ffff],
  ["a probe with no room for its stamp", frameType.probe, probeBytes.min - 1],
  ["an endless goodbye", frameType.goodbye, 513],
  ["an unknown type", 200, 20],
])("%s is refused from the header alone", (_what, type, length) => {
  const header = Buffer.alloc(headerBytes);
  writeHeader(header, 0, type, length);
  expect(() => decode(header)).toThrow(ProtocolError);
});

test("reserved bytes must be zero", () => {
  const header = Buffer.alloc(headerBytes);
  writeHeader(header, 0, frameType.goodbye, 0);
  header[6] = 1;
  expect(() => decode(header)).toThrow(/reserved/);
});
