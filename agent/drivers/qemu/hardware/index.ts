import type { FieldViolation } from "../../../../lib/errors.js";
import { balloon } from "./balloon.js";
import { boot } from "./boot.js";
import { cdroms } from "./cdroms.js";
import { configDisk } from "./config-disk.js";
import { console } from "./console.js";
import { controllers } from "./controllers.js";
import { disks } from "./disks.js";
import { display } from "./display.js";
import { extraArguments } from "./extra-arguments.js";
import { firmware } from "./firmware.js";
import { guestAgent } from "./guest-agent.js";
import { hostDevices } from "./host-devices.js";
import { hostUsb } from "./host-usb.js";
import { memory } from "./memory.js";
import { nics } from "./nics.js";
import type { Asked, HardwarePart, Launch, MachineFacts, MachineHost, PartArguments, Qmp } from "./part.js";
import { pinning } from "./pinning.js";
import { processors } from "./processors.js";
import { pvpanic } from "./pvpanic.js";
import { rng } from "./rng.js";
import { seed } from "./seed.js";
import { shares } from "./shares.js";
import { smbios } from "./smbios.js";
import { spice } from "./spice.js";
import { tpm } from "./tpm.js";
import { usb } from "./usb.js";
import { virtiofs } from "./virtiofs.js";
import { watchdog } from "./watchdog.js";

/** The parts of a machine, in the order of their arguments. Another one is a module in this folder and a line here. */
const hardware = {
  ...{ processors, memory, pinning, balloon, smbios, console, guestAgent, boot, rng, watchdog, pvpanic, display },
  ...{ firmware, tpm, controllers, usb, hostUsb, spice, disks, cdroms, nics, seed, configDisk, shares, virtiofs },
  ...{ hostDevices, extraArguments },
};

/** What has been opened and prepared of each part; a machine need not have them all. */
export type HardwarePlans = {
  readonly [Name in keyof typeof hardware]?: (typeof hardware)[Name] extends HardwarePart<infer Plan> ? Plan : never;
};

// Plans are only ever given to the part that made them.
const parts = Object.entries(hardware) as [keyof HardwarePlans, HardwarePart<unknown>][];

/** What is wrong with a spec by itself; pure. */
export function checkHardware(asked: Asked): readonly FieldViolation[] {
  return parts.flatMap(([, part]) => part.check?.(asked) ?? []);
}

/** Checks all parts against this host; changes nothing. @throws {ZorError} */
export async function admitHardware(asked: Asked, host: MachineHost): Promise<void> {
  for (const [, part] of parts) await part.admit?.(asked, host);
}

/** Opens and prepares everything for a start. @throws {ZorError} or {ToolError} */
export async function openHardware(launch: Launch): Promise<HardwarePlans> {
  const plans: Partial<Record<keyof HardwarePlans, unknown>> = {};
  for (const [name, part] of parts) plans[name] = await part.open(launch);
  return plans as HardwarePlans;
}

/** The arguments of all parts, in order; pure. */
export function toHardwareArguments(plans: HardwarePlans, facts: MachineFacts): readonly PartArguments[] {
  return parts.flatMap(([name, part]) => (plans[name] === undefined ? [] : [part.toArguments(plans[name], facts)]));
}

/** Called when QEMU answers and before a CPU has run. @throws {ZorError} */
export async function beforeRun(asked: Asked, qmp: Qmp, resource: string): Promise<void> {
  for (const [, part] of parts) await part.beforeRun?.(asked, qmp, resource);
}

/** What is wrong with the parts of a machine that runs, for people; undefined: nothing. */
export async function findProblem(asked: Asked, directory: string): Promise<string | undefined> {
  for (const [, part] of parts) {
    const problem = await part.findProblem?.(asked, directory);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

/** Ends the programs beside a QEMU that could not be started. Idempotent. */
export async function endHardware(directory: string): Promise<void> {
  for (const [, part] of parts) await part.end?.(directory);
}

/** Removes what parts have kept in the directory of an instance. Idempotent. */
export async function removeHardware(directory: string): Promise<void> {
  for (const [, part] of parts) await part.remove?.(directory);
}
