import { expect, it } from "vitest";
import type { Observation } from "../../../../../agent/drivers/driver.js";
import { asFailureOf } from "../../../../../agent/kinds/instance/ended-meanwhile.js";
import type { InstanceRecord } from "../../../../../agent/kinds/instance/record.js";
import { failedPrecondition, unavailable } from "../../../../../lib/errors.js";
import { InstanceSpec } from "../../../../../proto/gen/zor/v1/instance.js";

const name = "hosts/h1/instances/vm1";
const handle = { pid: 7, startTicks: "1", extra: {} };
const killed = "QEMU was killed by signal 9 (SIGKILL)";
const cutOff = unavailable("QMP_DISCONNECTED", name, `${name}: QEMU closed the connection`);

/** A record of an instance that its driver sees like this, one look after the other. */
function recordOf(looks: readonly Partial<Observation>[], more: Partial<InstanceRecord> = {}): InstanceRecord {
  let look = 0;
  const inspect = async () => looks[Math.min(look++, looks.length - 1)];
  return {
    stored: { id: "vm1", resource: { name, uid: "u", spec: InstanceSpec.create() } },
    driver: { inspect },
    ...{ handle, observation: { state: "running", reason: "" }, ...more },
  } as unknown as InstanceRecord;
}

const told = (record: InstanceRecord, error: unknown = cutOff) =>
  asFailureOf(record, handle, { error, action: "run a command in" });

const ended = {
  reason: "ENDED_MEANWHILE",
  message: `could not run a command in ${name}: it ended meanwhile: ${killed}; start it again with: zor start h1/vm1`,
};

it("says how the run ended that the work was at, also when that can be seen a little later", async () => {
  const gone = { state: "failed", reason: killed } as const;
  expect(await told(recordOf([gone]))).toMatchObject(ended);
  expect(await told(recordOf([{ state: "running" }, gone]))).toMatchObject(ended);
});

it("says it when whoever observes the instance has seen it, and while what it had is still put away", async () => {
  const observation = { state: "failed", reason: killed } as Observation;
  expect(await told(recordOf([], { handle: undefined, observation }))).toMatchObject(ended);
  const lastEnd = { text: killed } as NonNullable<InstanceRecord["lastEnd"]>;
  expect(await told(recordOf([], { handle: undefined, lastEnd }))).toMatchObject(ended);
});

it("leaves as it is what has another cause", async () => {
  const refused = failedPrecondition("DEVICE_IN_USE", name, "it is mounted");
  expect(await told(recordOf([{ state: "failed", reason: killed }]), refused)).toBe(refused);
  expect(await told(recordOf([{ state: "running" }]))).toBe(cutOff);
  expect(await told(recordOf([{ state: "failed" }], { handle: { ...handle, pid: 8 } }))).toBe(cutOff);
});
