import { expect, test } from "vitest";
import { RateMeter } from "../../../lib/rate-meter.js";

test("throughput is that of the last two seconds, and starts over with the counters", () => {
  const meter = new RateMeter();
  expect(meter.read()).toEqual({ txBps: 0, rxBps: 0 });
  meter.sample(0, { txBytes: 0, rxBytes: 0 });
  meter.sample(1_000, { txBytes: 1_000, rxBytes: 0 });
  meter.sample(2_000, { txBytes: 3_000, rxBytes: 500 });
  expect(meter.read()).toEqual({ txBps: 12_000, rxBps: 2_000 });
  meter.sample(3_000, { txBytes: 3_000, rxBytes: 500 });
  expect(meter.read()).toEqual({ txBps: 8_000, rxBps: 2_000 });
  meter.sample(4_000, { txBytes: 0, rxBytes: 0 });
  expect(meter.read()).toEqual({ txBps: 0, rxBps: 0 });
});
