import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Observation } from "../../../agent/drivers/driver.js";
import { askUntilEnded } from "../../../agent/kinds/instance/ask-until-ended.js";
import { callOptions, type MachineFixture, makeMachineFixture } from "../../integration/qemu/machine-fixture.js";

let fixture: MachineFixture;

beforeAll(async () => {
  fixture = await makeMachineFixture();
});

afterAll(async () => {
  await fixture[Symbol.asyncDispose]();
});

const [offsets, longestMs] = [12, 60_000];
/** What people are promised beyond the boot, whatever the grace. */
const promisedMs = 5000;

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

/** What a guest that nobody disturbs takes, and what one takes beyond that which is asked to shut down meanwhile. */
it("ends a guest that is asked at any moment of its boot, soon after it has booted", { timeout: 900_000 }, async () => {
  const instance = await fixture.create({ kernel: "micro", pvpanic: true });
  const network = await fixture.networkOf(instance);
  const bootMs: number[] = [];
  for (let round = 0; round < 3; round += 1) {
    const from = performance.now();
    const handle = await fixture.start(instance);
    bootMs.push(performance.now() - from);
    await fixture.driver.stop(instance, handle, callOptions);
  }
  const boot = median(bootMs);
  const beyondMs: number[] = [];
  const askedTimes: number[] = [];
  for (let step = 0; step < offsets; step += 1) {
    const from = performance.now();
    const handle = await fixture.driver.start(instance, network, callOptions);
    await delay((boot * step) / (offsets - 1));
    const askedAt = performance.now();
    const signal = AbortSignal.timeout(longestMs);
    let observed: Observation | undefined;
    const { ended, asked } = await askUntilEnded({
      ask: async (attempt) => fixture.driver.requestShutdown(instance, handle, { signal: callOptions.signal, attempt }),
      waitForEnd: async (until) => {
        while (!until.aborted) {
          observed = await fixture.driver.inspect(instance, handle, callOptions);
          if (observed.state === "stopped" || observed.state === "failed") return true;
          await delay(50);
        }
        return false;
      },
      signal,
    });
    expect({ step, ended }).toEqual({ step, ended: true });
    // It was the guest that went, in good order.
    expect(observed).toMatchObject({ state: "stopped", end: { kind: "guest-shutdown" } });
    beyondMs.push(Math.max(0, performance.now() - Math.max(askedAt, from + boot)));
    askedTimes.push(asked);
  }
  const seconds = (ms: number) => (ms / 1000).toFixed(1);
  console.log(
    `boot ${seconds(boot)} s; off after boot: median ${seconds(median(beyondMs))} s, longest ${seconds(Math.max(...beyondMs))} s; asked ${askedTimes.join(", ")} times`,
  );
  expect(Math.max(...beyondMs)).toBeLessThan(promisedMs);
});
