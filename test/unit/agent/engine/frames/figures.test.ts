import { describe, expect, test } from "vitest";
import { parseTransmitDrops } from "../../../../../agent/engine/frames/device-drops.js";
import { ProbeBook } from "../../../../../agent/engine/frames/probe-book.js";

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
