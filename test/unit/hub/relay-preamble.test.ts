import { randomBytes } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeRelayPreamble, encodeRelayPreamble, relayPreambleBytes } from "../../../lib/relay-preamble.js";

const linkUid = "0b54e6a5-91c1-4f0e-8b53-3a9a4f2c7d10";
const ticket = Buffer.alloc(32, 7);

function changed(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes);
  copy.writeUInt8(copy.readUInt8(at) ^ 1, at);
  return copy;
}

describe("the relay preamble", () => {
  test("says which end of which link it is, and is verified with the ticket it was made with", () => {
    const bytes = encodeRelayPreamble({ linkUid, role: "dialer" }, ticket);
    expect(bytes).toHaveLength(relayPreambleBytes);
    expect(bytes.subarray(0, 23).toString("latin1")).toBe(
      `ZORR1\n${Buffer.from(linkUid.replaceAll("-", ""), "hex").toString("latin1")}\x01`,
    );
    const read = decodeRelayPreamble(bytes);
    expect(read).toMatchObject({ linkUid, role: "dialer", nonce: bytes.subarray(23, 31) });
    expect(read?.verify(ticket)).toBe(true);
    expect(read?.verify(Buffer.alloc(32, 8))).toBe(false);
    expect(bytes.includes(ticket)).toBe(false);
  });

  test("is another every time", () => {
    const two = [1, 2].map(() => encodeRelayPreamble({ linkUid, role: "listener" }, ticket).toString("hex"));
    expect(two[0]).not.toBe(two[1]);
  });

  test("does not hold with any byte changed", () => {
    const bytes = encodeRelayPreamble({ linkUid, role: "listener" }, ticket);
    for (let at = 0; at < bytes.length; at += 1) {
      expect(decodeRelayPreamble(changed(bytes, at))?.verify(ticket) ?? false, `byte ${at}`).toBe(false);
    }
  });

  test.each([
    ["empty", Buffer.alloc(0)],
    ["cut off", encodeRelayPreamble({ linkUid, role: "dialer" }, ticket).subarray(0, 62)],
    ["too long", Buffer.concat([encodeRelayPreamble({ linkUid, role: "dialer" }, ticket), Buffer.alloc(1)])],
    ["of a TLS client", Buffer.concat([Buffer.from("160301020001", "hex"), Buffer.alloc(57)])],
  ])("is not read from bytes that are %s", (_what, bytes) => {
    expect(decodeRelayPreamble(bytes)).toBeUndefined();
  });

  test("never throws and never verifies, whatever comes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 128 }), (bytes) => {
        expect(decodeRelayPreamble(Buffer.from(bytes))?.verify(randomBytes(32)) ?? false).toBe(false);
      }),
    );
  });

  test("is not made for a uid that is not a UUID", () => {
    expect(() => encodeRelayPreamble({ linkUid: "links/l1", role: "dialer" }, ticket)).toThrow(/not a UUID/);
  });
});
