import { randomBytes } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  challengeOf,
  decodeRelayPreamble,
  encodeRelayPreamble,
  makeRelayGreeting,
  relayGreetingBytes,
  relayPreambleBytes,
} from "../../../lib/relay-preamble.js";

const linkUid = "0b54e6a5-91c1-4f0e-8b53-3a9a4f2c7d10";
const ticket = Buffer.alloc(32, 7);
const challenge = Buffer.alloc(16, 9);
const proof = { ticket, challenge };

function changed(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes);
  copy.writeUInt8(copy.readUInt8(at) ^ 1, at);
  return copy;
}

describe("the relay preamble", () => {
  test("says which end of which link it is, and is verified with the ticket it was made with", () => {
    const bytes = encodeRelayPreamble({ linkUid, role: "dialer" }, proof);
    expect(bytes).toHaveLength(relayPreambleBytes);
    expect(bytes.subarray(0, 23).toString("latin1")).toBe(
      `ZORR2\n${Buffer.from(linkUid.replaceAll("-", ""), "hex").toString("latin1")}\x01`,
    );
    const read = decodeRelayPreamble(bytes);
    expect(read).toMatchObject({ linkUid, role: "dialer" });
    expect(read?.verify(ticket, challenge)).toBe(true);
    expect(read?.verify(Buffer.alloc(32, 8), challenge)).toBe(false);
    expect(bytes.includes(ticket)).toBe(false);
  });

  test("holds for the challenge it answers, and for no other", () => {
    const read = decodeRelayPreamble(encodeRelayPreamble({ linkUid, role: "dialer" }, proof));
    expect(read?.verify(ticket, makeRelayGreeting().challenge)).toBe(false);
  });

  test("does not hold with any byte changed", () => {
    const bytes = encodeRelayPreamble({ linkUid, role: "listener" }, proof);
    for (let at = 0; at < bytes.length; at += 1) {
      expect(decodeRelayPreamble(changed(bytes, at))?.verify(ticket, challenge) ?? false, `byte ${at}`).toBe(false);
    }
  });

  test.each([
    ["empty", Buffer.alloc(0)],
    ["cut off", encodeRelayPreamble({ linkUid, role: "dialer" }, proof).subarray(0, 54)],
    ["too long", Buffer.concat([encodeRelayPreamble({ linkUid, role: "dialer" }, proof), Buffer.alloc(1)])],
    ["of a TLS client", Buffer.concat([Buffer.from("160301020001", "hex"), Buffer.alloc(49)])],
  ])("is not read from bytes that are %s", (_what, bytes) => {
    expect(decodeRelayPreamble(bytes)).toBeUndefined();
  });

  test("never throws and never verifies, whatever comes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 128 }), (bytes) => {
        expect(decodeRelayPreamble(Buffer.from(bytes))?.verify(randomBytes(32), challenge) ?? false).toBe(false);
      }),
    );
  });

  test("is not made for a uid that is not a UUID", () => {
    expect(() => encodeRelayPreamble({ linkUid: "links/l1", role: "dialer" }, proof)).toThrow(/not a UUID/);
  });
});

describe("the relay's greeting", () => {
  test("brings a challenge that is another every time", () => {
    const [one, two] = [makeRelayGreeting(), makeRelayGreeting()];
    expect(one.bytes).toHaveLength(relayGreetingBytes);
    expect(challengeOf(one.bytes)?.equals(one.challenge)).toBe(true);
    expect(one.challenge.equals(two.challenge)).toBe(false);
  });

  test.each([
    ["of another version", Buffer.from("ZORR1\n0123456789abcdef")],
    ["cut off", makeRelayGreeting().bytes.subarray(0, 21)],
    ["of a web server", Buffer.from("HTTP/1.1 400 Bad Reque")],
  ])("is not read from bytes that are %s", (_what, bytes) => {
    expect(challengeOf(bytes)).toBeUndefined();
  });
});
