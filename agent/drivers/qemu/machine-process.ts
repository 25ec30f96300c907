import { existsSync } from "node:fs";
import { findProcesses, isAlive, type ProcessIdentity, readArguments } from "../../../lib/process.js";
import type { DriverInstance, RecoveryHandle } from "../driver.js";
import { isQemuProgram } from "./program.js";
import { runDirectoryOf } from "./run-directory.js";
import { toUuid } from "./uuid.js";

/** The QEMU process of an instance. */
export interface MachineProcess {
  readonly identity: ProcessIdentity;
  readonly accelerator: "kvm" | "tcg";
}

/**
 * Finds the running QEMU of an instance: the one of the handle when it still is this instance's, else by the UUID among all processes.
 * Undefined when none runs.
 */
export async function findMachineProcess(
  instance: Pick<DriverInstance, "uid" | "directory">,
  handle: RecoveryHandle | undefined,
): Promise<MachineProcess | undefined> {
  const uuid = toUuid(instance.uid);
  const identity = (await matches(handle, uuid)) ? handle : await search(instance, uuid);
  if (identity === undefined) return undefined;
  const { pid, startTicks } = identity;
  return { identity: { pid, startTicks }, accelerator: acceleratorOf(await readArguments(pid)) };
}

/** Reads all of /proc, unless it has never run: then there is no directory that it could run in. */
async function search(instance: Pick<DriverInstance, "directory">, uuid: string): Promise<ProcessIdentity | undefined> {
  if (!existsSync(runDirectoryOf(instance))) return undefined;
  return (await findProcesses((argv) => isMachine(argv, uuid)))[0];
}

async function matches(handle: RecoveryHandle | undefined, uuid: string): Promise<boolean> {
  return handle !== undefined && (await isAlive(handle)) && isMachine(await readArguments(handle.pid), uuid);
}

/** Also true of the programs that turn into QEMU in a moment, which carry its arguments behind their own. */
function isMachine(argv: readonly string[], uuid: string): boolean {
  return argv.some(isQemuProgram) && argv[argv.indexOf("-uuid") + 1] === uuid;
}

function acceleratorOf(argv: readonly string[]): "kvm" | "tcg" {
  return argv[argv.indexOf("-accel") + 1]?.startsWith("kvm") === true ? "kvm" : "tcg";
}

/** What finds the process again, for the agent's next life; pure. */
export function toHandle({ pid, startTicks }: ProcessIdentity, accelerator: string): RecoveryHandle {
  return { pid, startTicks, extra: { accelerator } };
}
