import { writeFile } from "node:fs/promises";
import { startDaemon } from "../../host/exec.js";
import type { ProcessExit } from "../../host/process-exit.js";
import type { InstanceNetwork } from "../../network/instance-networks.js";
import type { VolumeAccess } from "../abilities/volumes.js";
import type { DriverInstance } from "../driver.js";
import { toArgv } from "./argv.js";
import type { ContentDigests } from "./content-digests.js";
import { dialsServers } from "./hardware/disks.js";
import { openHardware } from "./hardware/index.js";
import type { MachinePolicy } from "./hardware/part.js";
import { InheritedFiles } from "./inherited-files.js";
import { architectureOf, qemuOptionsOf } from "./options.js";
import { machineTypeOf, placeDevices } from "./placement.js";
import { findKvmGroups, toUnprivileged, toUserId } from "./privileges.js";
import { qemuPrograms } from "./program.js";
import { logPathOf, makeRunDirectory, runDirectoryOf } from "./run-directory.js";
import { toUuid } from "./uuid.js";

/** What a launch needs. */
export interface LaunchOptions {
  readonly imageDirectories: readonly string[];
  readonly digests: ContentDigests;
  readonly volumes: VolumeAccess | undefined;
  readonly policy: MachinePolicy;
  readonly accelerator: "kvm" | "tcg";
  readonly resource: string;
  readonly signal: AbortSignal;
  /** Its memory is given to it later; default: it begins anew. */
  readonly goesOn?: boolean;
  /** Told how QEMU ended, when it does while this agent lives. */
  readonly onExit: (exit: ProcessExit) => void;
}

/**
 * Opens everything a machine needs, drops to its user and starts QEMU with CPUs stopped; resolves to its pid.
 * Descriptors instead of names: QEMU's user can read nothing of the agent's, and no link can be swapped after the checks.
 * @throws {ZorError} when an image or disk is not as it should be; {ToolError} when a program is missing.
 */
export async function launch(
  instance: DriverInstance,
  network: InstanceNetwork,
  options: LaunchOptions,
): Promise<number> {
  const user = toUserId(instance.uid);
  await makeRunDirectory(runDirectoryOf(instance), user);
  const inherited = new InheritedFiles();
  try {
    // The instance layer has recorded them; this is for a spec that could not be written since.
    const spec = placeDevices(instance.spec, { isNew: false });
    const asked = { spec, options: qemuOptionsOf(spec) };
    const architecture = architectureOf(asked.options);
    const facts = { machine: machineTypeOf(asked.options), architecture, accelerator: options.accelerator };
    const hardware = await openHardware({ ...options, ...asked, ...facts, instance, network, user, inherited });
    const plan = {
      ...facts,
      machineName: asked.options.machine,
      id: instance.id,
      uuid: toUuid(instance.uid),
      hardware,
      goesOn: options.goesOn === true,
    };
    const groups = options.accelerator === "kvm" ? await findKvmGroups() : [];
    const qemu = { tool: qemuPrograms[architecture].tool, argv: toArgv(plan) };
    const { tool, argv } = toUnprivileged(qemu, user, groups ?? []);
    await writeFile(logPathOf(instance), "", { mode: 0o600 });
    return await startDaemon(tool, argv, {
      // The taps are open: only what QEMU dials itself decides where it is.
      netns: dialsServers(hardware.disks) ? undefined : network.netns,
      cwd: runDirectoryOf(instance),
      logFile: logPathOf(instance),
      fds: inherited.fds,
      onExit: options.onExit,
    });
  } finally {
    await inherited.close();
  }
}
