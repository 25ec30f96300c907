import fc from "fast-check";
import { expect, test } from "vitest";
import { DrainMeter } from "../../../../../agent/engine/frames/drain-meter.js";
import { limitsFor, widest } from "../../../../../agent/engine/frames/queue-limits.js";

test("the rate counts only while the connection is saturated", () => {
  const meter = new DrainMeter();
  meter.took(1_000_000);
  meter.refused(1_000);
  meter.refused(1_010);
  meter.took(50_000);
  meter.emptied(1_050);
  meter.took(9_000_000);
  expect(meter.takeRate(2_000)).toBe(1_000_000);
  expect(meter.takeRate(3_000)).toBeUndefined();
});

test("a connection that stays saturated gives a rate each time it is asked", () => {
  const meter = new DrainMeter();
  meter.refused(0);
  for (const second of [1, 2, 3]) {
    meter.took(second * 1_000);
    expect(meter.takeRate(second * 1_000)).toBe(second * 1_000);
    expect(meter.saturated).toBe(true);
  }
});

test("a moment of saturation says nothing about the rate", () => {
  const meter = new DrainMeter();
  meter.refused(0);
  meter.took(10);
  meter.emptied(5);
  expect(meter.takeRate(1_000)).toBeUndefined();
});

test("what waits takes no more than tens of milliseconds, from 50 Mbit/s on", () => {
  fc.assert(
    fc.property(
      fc.double({ min: 6.25e6, max: 2e9, noNaN: true }),
      fc.integer({ min: 60, max: 65_000 }),
      (rate, size) => {
        const { tapFrames, socketBytes, batchBytes } = limitsFor(rate, size);
        const waitingBytes = tapFrames * size + socketBytes + batchBytes;
        expect(waitingBytes / rate).toBeLessThan(0.11);
      },
    ),
  );
});

test("a slower path never gets longer queues, and none gets longer ones than a path of unknown speed", () => {
  const rates = fc.double({ min: 1, max: 1e10, noNaN: true });
  fc.assert(
    fc.property(rates, rates, fc.integer({ min: 0, max: 65_000 }), (one, other, size) => {
      const [slow, fast] = [limitsFor(Math.min(one, other), size), limitsFor(Math.max(one, other), size)];
      for (const key of ["tapFrames", "socketBytes", "batchBytes"] as const) {
        expect(slow[key]).toBeLessThanOrEqual(fast[key]);
        expect(fast[key]).toBeLessThanOrEqual(widest[key]);
        expect(slow[key]).toBeGreaterThan(0);
      }
    }),
  );
});
