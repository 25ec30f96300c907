import { describe, expect, test } from "vitest";
import { checkPeerAddress, formatSocketAddress, parseSocketAddress } from "../../../../lib/net/peer-address.js";
import { applySpec, freshTickets, withUsedTicket } from "../../../../agent/engine/ends/end-record.js";
import { parseTransmitDrops } from "../../../../agent/engine/frames/device-drops.js";
import { ProbeBook } from "../../../../agent/engine/frames/probe-book.js";
import { endSpec } from "../../../helpers/engine-words.js";

describe("peer addresses", () => {
  test.each(["10.0.0.1:7444", "[fd00::1]:7444", "[2001:db8::5]:1"])("%s may be dialled", (text) => {
    expect(formatSocketAddress(checkPeerAddress("a", text, { allowLoopback: false }))).toBe(text);
  });

  test.each([
    "127.0.0.1:7444",
    "127.9.9.9:7444",
    "[::1]:7444",
    "[::ffff:127.0.0.1]:7444",
    "[::ffff:7f00:1]:7444",
    "0.0.0.0:7444",
    "[::]:7444",
    "169.254.169.254:80",
    "[::ffff:169.254.169.254]:80",
    "[fe80::1]:7444",
    "224.0.0.1:7444",
    "255.255.255.255:7444",
    "[ff02::1]:7444",
    "[fd00:ec2::254]:80",
    "100.100.100.200:80",
    "[64:ff9b::7f00:1]:7444",
    "[2002:7f00:1::]:7444",
    "[::127.0.0.1]:7444",
    "[64:ff9b:1::1]:7444",
    "[::ffff:0:127.0.0.1]:7444",
    "[fd20:ce::254]:80",
    "[2001::1]:7444",
    "10.0.0.1:0",
  ])("%s may not be dialled", (text) => {
    expect(() => checkPeerAddress("a", text, { allowLoopback: false })).toThrow();
  });

  test("tests may dial loopback", () => {
    expect(checkPeerAddress("a", "127.0.0.1:7444", { allowLoopback: true })).toEqual({ ip: "127.0.0.1", port: 7444 });
  });

  test.each([
    "",
    "10.0.0.1",
    "host:7444",
    "10.0.0.1:99999",
    "10.0.0:7444",
    "0x7f.1:80",
    "[10.0.0.1]:7444",
    "::1:7444",
    "[fe80::1%eth0]:1",
    "10.0.0.1:7444\n",
  ])("%j is no address", (text) => {
    expect(() => parseSocketAddress("a", text)).toThrow(/is not an address/);
  });
});

describe("an end's record", () => {
  const spec = endSpec({
    link: "links/demo",
    linkUid: "u1",
    lan: "lan1",
    role: "listener",
    peerAddresses: [],
    peerKeySha256: "aa".repeat(32),
    ticket: "01".repeat(32),
    ticketTtlSeconds: 10,
  });
  const withoutTicket = { ...spec, ticket: Buffer.alloc(0) };

  test("takes a ticket until it expires", () => {
    const record = applySpec(spec, undefined, 1_000);
    expect(freshTickets(record, 1_000)).toEqual([Buffer.alloc(32, 1)]);
    expect(freshTickets(record, 11_000)).toEqual([]);
  });

  test("takes no ticket twice, however often it is asked", () => {
    const used = withUsedTicket(applySpec(spec, undefined, 1_000), Buffer.alloc(32, 1));
    expect(freshTickets(applySpec(spec, used, 2_000), 2_000)).toEqual([]);
  });

  test("keeps what was agreed when the hub asks again", () => {
    const paired = { ...applySpec(spec, undefined, 0), pairing: Buffer.alloc(32, 0xbb) };
    expect(applySpec({ ...withoutTicket, lan: "lan2" }, paired, 0)).toEqual({
      ...paired,
      spec: { ...paired.spec, lan: "lan2" },
    });
  });

  test("forgets what was agreed when the peer is another", () => {
    const paired = { ...applySpec(spec, undefined, 0), pairing: Buffer.alloc(32, 0xbb) };
    const moved = applySpec({ ...withoutTicket, peerKeySha256: Buffer.alloc(32, 0xcc) }, paired, 0);
    expect(moved.pairing).toHaveLength(0);
    expect(moved.tickets).toEqual([]);
  });

  test("remembers a bounded number of tickets", () => {
    let record = applySpec(spec, undefined, 0);
    for (let index = 2; index < 40; index += 1) {
      record = applySpec({ ...spec, ticket: Buffer.alloc(32, index) }, record, 0);
    }
    expect(record.tickets.length).toBeLessThanOrEqual(16);
    expect(freshTickets(record, 0)[0]).toEqual(Buffer.alloc(32, 39));
  });
});

describe("probes", () => {
  test("tell round trip and loss", () => {
    const book = new ProbeBook();
    for (let index = 0; index < 10; index += 1) {
      const sequence = book.sent(index * 100);
      if (index !== 4) expect(book.echoed(sequence, index * 100 + index + 1)).toBe(true);
    }
    expect(book.rttMs(0.5)).toBe(6);
    expect(book.rttMs(0.99)).toBe(10);
    expect(book.lossRatio(1_000)).toBe(0);
    expect(book.lossRatio(5_000)).toBe(0.1);
  });

  test("count an echo once, and only of a probe that was sent", () => {
    const book = new ProbeBook();
    const sequence = book.sent(0);
    expect(book.echoed(sequence, 1)).toBe(true);
    expect(book.echoed(sequence, 2)).toBe(false);
    expect(book.echoed(sequence + 1, 2)).toBe(false);
    expect(book.rttMs(0.5)).toBe(1);
  });

  test("are forgotten after a while", () => {
    const book = new ProbeBook();
    const first = book.sent(0);
    for (let index = 0; index < 40; index += 1) book.echoed(book.sent(10_000), 10_001);
    expect(book.echoed(first, 10_002)).toBe(false);
    expect(book.lossRatio(20_000)).toBe(0);
  });

  test("have no round trip before the first echo", () => {
    expect(new ProbeBook().rttMs(0.5)).toBeUndefined();
  });
});

test("transmit drops are read by device", () => {
  const text = [
    "Inter-|   Receive                                                |  Transmit",
    " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed",
    "    lo:       0       0    0    0    0     0          0         0        0       0    0    0    0     0       0          0",
    "zc0123456789ab: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16",
  ].join("\n");
  expect([...parseTransmitDrops(text)]).toEqual([
    ["lo", 0],
    ["zc0123456789ab", 12],
  ]);
});
