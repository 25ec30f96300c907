import { expect, it } from "vitest";
import { readGuestAvailable } from "../../../../../agent/drivers/qemu/hardware/balloon.js";
import { InstanceSpec } from "../../../../../proto/gen/zor/v1/instance.js";

const nowMs = 1_700_000_000_000;
const machine = (balloon: boolean) =>
  InstanceSpec.fromPartial({ driver: { $case: "qemu", value: { memory: { balloon } } } });

/** A machine whose guest has told this. */
function telling(stats: Readonly<Record<string, number>>, toldMs: number) {
  let interval = 0;
  const calls: string[] = [];
  const execute = async (command: string, args: Readonly<Record<string, unknown>> = {}): Promise<unknown> => {
    calls.push(`${command} ${args["property"]}`);
    if (command === "qom-set") interval = Number(args["value"]);
    if (args["property"] === "guest-stats-polling-interval") return interval;
    return { stats, "last-update": toldMs / 1000 };
  };
  return { execute, calls };
}

it("is asked of the guest each ten seconds, which is set once", async () => {
  const qmp = telling({ "stat-available-memory": 123 }, nowMs - 9000);
  expect(await readGuestAvailable(qmp, machine(true), nowMs)).toBe(123);
  expect(await readGuestAvailable(qmp, machine(true), nowMs)).toBe(123);
  expect(qmp.calls.filter((call) => call.startsWith("qom-set"))).toEqual(["qom-set guest-stats-polling-interval"]);
});

it.each([
  ["has not answered for long", { "stat-available-memory": 123 }, nowMs - 60_000],
  ["has never answered", { "stat-available-memory": -1 }, 0],
  ["does not count it", { "stat-available-memory": -1 }, nowMs],
  ["does not count it, as a larger number", { "stat-available-memory": 2 ** 64 - 1 }, nowMs],
])("is not known of a guest that %s", async (_what, stats, toldMs) => {
  expect(await readGuestAvailable(telling(stats, toldMs), machine(true), nowMs)).toBeUndefined();
});

it("is not asked of a machine without a balloon", async () => {
  const qmp = telling({ "stat-available-memory": 123 }, nowMs);
  expect(await readGuestAvailable(qmp, machine(false), nowMs)).toBeUndefined();
  expect(qmp.calls).toEqual([]);
});
