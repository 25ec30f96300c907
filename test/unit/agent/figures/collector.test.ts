import { expect, onTestFinished, test, vi } from "vitest";
import { Collector } from "../../../../agent/figures/collector.js";
import { watchFigures } from "../../../../agent/kinds/figures/watch-figures.js";
import { toDuration } from "../../../../lib/duration.js";
import { Figure } from "../../../../proto/gen/zor/v1/figures.js";
import { WatchFiguresRequest } from "../../../../proto/gen/zor/v1/figures_service.js";

/** A collector that runs on a clock of the test's own, and counts its samples. */
function collecting() {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance", "Date"] });
  onTestFinished(() => {
    vi.useRealTimers();
  });
  const collector = new Collector((error) => {
    throw error;
  });
  const subject = collector.subjects.add("hosts/a", "", [Figure.FIGURE_CPU_TIME]);
  let samples = 0;
  collector.add({ collect: () => subject.set(0, ++samples), close: () => undefined });
  const ending = new AbortController();
  const running = collector.run(ending.signal);
  onTestFinished(async () => {
    ending.abort();
    await running;
  });
  const watch = (intervalMs: number) => {
    const signal = new AbortController();
    const told: number[] = [];
    const request = WatchFiguresRequest.fromPartial({ interval: toDuration(intervalMs) });
    const reading = (async () => {
      for await (const response of watchFigures(collector, request, { host: "a", signal: signal.signal }))
        told.push(Number(response.timeMillis));
    })();
    return {
      told,
      end: async () => {
        signal.abort();
        await reading;
      },
    };
  };
  return { collector, watch, samples: () => samples };
}

test("whoever wants figures each 10 s has nobody measure more often, and gets no more of what others have measured", async () => {
  const { collector, watch, samples } = collecting();
  await vi.advanceTimersByTimeAsync(0);
  const calm = watch(10_000);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(samples()).toBe(7);
  expect(calm.told).toHaveLength(7);
  expect(collector.isWatched).toBe(false);
  const eager = watch(1000);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(samples()).toBeGreaterThanOrEqual(66);
  expect(eager.told.length).toBeGreaterThanOrEqual(60);
  expect(calm.told.length).toBeLessThanOrEqual(14);
  await eager.end();
  const before = samples();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(samples() - before).toBeLessThanOrEqual(7);
  await calm.end();
  expect(collector.watchers).toBe(0);
});

test.each([0, 999, 60_001, -1])("an interval of %d ms is refused, and named", async (intervalMs) => {
  const { collector } = collecting();
  const request = WatchFiguresRequest.fromPartial({ interval: toDuration(intervalMs) });
  const stream = watchFigures(collector, request, { host: "a", signal: new AbortController().signal });
  await expect(stream.next()).rejects.toThrow(/interval: it must be 1 s to 60 s/);
});
