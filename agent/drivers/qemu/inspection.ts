import { isAlive, startTimeOf } from "../../../lib/process.js";
import type { DriverInstance, Observation, RecoveryHandle } from "../driver.js";
import type { BaseWatch } from "./base-watch.js";
import { readBalloon } from "./hardware/balloon.js";
import { findProblem } from "./hardware/index.js";
import { reconstructEnd } from "./lost-end.js";
import type { Machines } from "./machines.js";
import { toObservedState, toSilenceReason } from "./observed-state.js";
import { qemuOptionsOf, sizeOf } from "./options.js";
import { silentQemu } from "./qmp-client.js";
import { boundLog } from "./run-directory.js";

/** What looking at a machine needs of its driver. */
export interface InspectionOptions {
  readonly machines: Machines;
  readonly bases: BaseWatch;
}

/** What a machine does now, as QEMU tells it; of one that has ended, how it did. */
export async function inspectMachine(
  instance: DriverInstance,
  handle: RecoveryHandle | undefined,
  { machines, bases }: InspectionOptions,
): Promise<Observation> {
  const machine = machines.find(instance);
  const identity = machine?.identity ?? handle;
  if (identity === undefined || !(await isAlive(identity))) return await inspectEnded(instance, handle, machines);
  const observed = {
    pid: identity.pid,
    startTime: await startTimeOf(identity),
    accelerator: handle?.extra["accelerator"] ?? "",
    execReady: machine?.execReady ?? false,
  };
  if (machine === undefined) return { ...observed, state: "unknown", reason: "it runs, but is not observed yet" };
  try {
    await boundLog(instance);
    await bases.look(instance);
    const { state, reason } = toObservedState(await machine.queryStatus());
    const problem = await findProblem(
      { spec: instance.spec, options: qemuOptionsOf(instance.spec) },
      instance.directory,
    );
    machine.tellProblem(problem);
    const found = { ...observed, state, balloonMib: await readBalloon(machine, instance.spec) };
    if (problem !== undefined && reason === "") return { ...found, reason: problem };
    if (state !== "running" || !(await machine.isSilent())) return { ...found, reason };
    return { ...found, reason: toSilenceReason(sizeOf(instance.spec).memoryMib), isSilent: true };
  } catch {
    if (!(await isAlive(identity))) return await inspectEnded(instance, handle, machines);
    return {
      ...observed,
      state: "unknown",
      reason: silentQemu,
    };
  }
}

async function inspectEnded(
  instance: DriverInstance,
  handle: RecoveryHandle | undefined,
  machines: Machines,
): Promise<Observation> {
  // One that has only just ended: whoever observed it is about to say how, and what is said now stands in the record.
  await machines.find(instance)?.ended();
  const end = machines.findEnd(instance) ?? (handle === undefined ? undefined : await reconstructEnd(instance, handle));
  const state = end?.failed === true ? "failed" : "stopped";
  return {
    state,
    reason: end?.reason ?? "",
    end: end?.end,
    pid: 0,
    startTime: undefined,
    accelerator: "",
    execReady: false,
  };
}
