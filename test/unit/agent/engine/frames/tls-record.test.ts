import fc from "fast-check";
import { expect, test } from "vitest";
import { ProtocolError } from "../../../../../agent/engine/frames/frame.js";
import {
  maxPlaintextBytes,
  RecordOpener,
  RecordSealer,
  recordsPerKey,
  sealedBytes,
} from "../../../../../agent/engine/frames/tls-record.js";
import { NativeMemory } from "../../../../../lib/libc.js";

const secret = Buffer.alloc(32, 7);
const start = { secret, sequence: 0 };

function seal(sealer: RecordSealer, bytes: Uint8Array): Buffer {
  const source = new NativeMemory(bytes.length + 1);
  source.buffer.set(bytes);
  const target = new NativeMemory(sealedBytes(bytes.length));
  return target.buffer.subarray(0, sealer.seal(source, 0, bytes.length, target));
}

function open(opener: RecordOpener, bytes: Uint8Array): { plain: Buffer; consumed: number; closed: boolean } {
  const source = new NativeMemory(bytes.length + 1);
  source.buffer.set(bytes);
  const target = new NativeMemory(bytes.length + 1);
  const { consumedTo, plainEnd, closed } = opener.open(
    { memory: source, start: 0, end: bytes.length },
    target,
    0,
    bytes.length,
  );
  return { plain: Buffer.from(target.buffer.subarray(0, plainEnd)), consumed: consumedTo, closed };
}

// RFC 8448, section 3, "Simple 1-RTT Handshake": the client's first application record.
test("a record is sealed as in the handshake trace of RFC 8448", () => {
  const clientSecret = Buffer.from("9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5", "hex");
  const payload = Buffer.from(Array.from({ length: 50 }, (_, index) => index));
  expect(seal(new RecordSealer({ secret: clientSecret, sequence: 0 }), payload).toString("hex")).toBe(
    "1703030043a23f7054b62c94d0affafe8228ba55cbefacea42f914aa66bcab3f2b9819a8a5b46b395bd54a9a20441e2b62974e1f5a6292a2977014bd1e3deae63aeebb21694915e4",
  );
});

test("what was sealed is opened, for any length and any sequence number", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 70_000 }), fc.nat(recordsPerKey - 10), (length, sequence) => {
      const [sealer, opener] = [new RecordSealer({ secret, sequence }), new RecordOpener({ secret, sequence })];
      const bytes = Buffer.alloc(length, length & 255);
      const sealed = seal(sealer, bytes);
      const opened = open(opener, sealed);
      expect(opened.plain.equals(bytes)).toBe(true);
      expect(opened.consumed).toBe(sealed.length);
      expect(opener.state).toEqual(sealer.state);
    }),
    { numRuns: 50 },
  );
});

test("sealing leaves the source as it was", () => {
  const source = new NativeMemory(101);
  source.buffer.fill(3);
  new RecordSealer(start).seal(source, 0, 100, new NativeMemory(sealedBytes(100)));
  expect(source.buffer.every((byte) => byte === 3)).toBe(true);
});

test("the key is updated before it has sealed too many records, and the opener follows", () => {
  const sequence = recordsPerKey - 1;
  const [sealer, opener] = [new RecordSealer({ secret, sequence }), new RecordOpener({ secret, sequence })];
  const bytes = Buffer.alloc(maxPlaintextBytes * 3, 9);
  expect(open(opener, seal(sealer, bytes)).plain.equals(bytes)).toBe(true);
  expect(sealer.state.sequence).toBe(2);
  expect(Buffer.from(sealer.state.secret).equals(secret)).toBe(false);
  expect(opener.state).toEqual(sealer.state);
});

test("any changed byte of a record is noticed", () => {
  const sealed = seal(new RecordSealer(start), Buffer.from("a frame"));
  for (let index = 0; index < sealed.length; index += 1) {
    const damaged = Buffer.from(sealed);
    damaged[index] = (damaged[index] ?? 0) ^ 1;
    // A longer length leaves the record incomplete; everything else is refused.
    const opener = new RecordOpener(start);
    if (index === 4 && (damaged[4] ?? 0) > (sealed[4] ?? 0)) expect(open(opener, damaged).consumed).toBe(0);
    else if (index === 3) expect(open(opener, damaged).consumed).toBe(0);
    else expect(() => open(opener, damaged)).toThrow(ProtocolError);
  }
});

test("a record cannot be replayed, left out or put in another order", () => {
  const sealer = new RecordSealer(start);
  const [first, second] = [seal(sealer, Buffer.from("first")), seal(sealer, Buffer.from("second"))];
  expect(() => open(new RecordOpener(start), Buffer.concat([first, first]))).toThrow(ProtocolError);
  expect(() => open(new RecordOpener(start), second)).toThrow(ProtocolError);
  expect(open(new RecordOpener(start), Buffer.concat([first, second])).plain.toString()).toBe("firstsecond");
});

test("an incomplete record waits for its rest", () => {
  const sealed = seal(new RecordSealer(start), Buffer.from("a frame"));
  for (let length = 0; length < sealed.length; length += 1) {
    expect(open(new RecordOpener(start), sealed.subarray(0, length))).toMatchObject({ consumed: 0 });
  }
});

test("any bytes are refused or wait, and never open", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      try {
        expect(open(new RecordOpener(start), bytes).plain.length).toBe(0);
      } catch (error) {
        expect(error).toBeInstanceOf(ProtocolError);
      }
    }),
    { numRuns: 2_000 },
  );
});
