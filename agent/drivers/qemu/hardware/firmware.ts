import { lstat, open, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { failedPrecondition, type FieldViolation } from "../../../../lib/errors.js";
import { Firmware } from "../../../../proto/gen/zor/v1/qemu.js";
import { run } from "../../../host/exec.js";
import { openExactly } from "../../../host/open-exactly.js";
import type { InheritedFd } from "../inherited-files.js";
import { architectureOf, sizeOf, violation } from "../options.js";
import { machineTypeOf } from "../placement.js";
import { toFdNode } from "./device.js";
import type { Asked, HardwarePart, Launch } from "./part.js";
import { toldOf } from "../../../host/told.js";

/** UEFI; machines with a BIOS have none of it. */
interface UefiPlan {
  readonly codeFd: InheritedFd;
  readonly variablesFd: InheritedFd;
  readonly secureBoot: boolean;
}

/** Where Debian has firmware and its variables as they are at first, by the package. */
const files = {
  x86_64: {
    debianPackage: "ovmf",
    plain: { code: "/usr/share/OVMF/OVMF_CODE_4M.fd", variables: "/usr/share/OVMF/OVMF_VARS_4M.fd" },
    secure: { code: "/usr/share/OVMF/OVMF_CODE_4M.secboot.fd", variables: "/usr/share/OVMF/OVMF_VARS_4M.ms.fd" },
  },
  aarch64: {
    debianPackage: "qemu-efi-aarch64",
    plain: { code: "/usr/share/AAVMF/AAVMF_CODE.fd", variables: "/usr/share/AAVMF/AAVMF_VARS.fd" },
    secure: { code: "/usr/share/AAVMF/AAVMF_CODE.ms.fd", variables: "/usr/share/AAVMF/AAVMF_VARS.ms.fd" },
  },
} as const;

/** With less it hangs or crashes before it has booted anything (OVMF 2022.11). */
const minMemoryMib = 256;

export const firmware: HardwarePart<UefiPlan> = {
  check,
  admit: async ({ options }) => {
    if (isUefi(options)) await assertThere(options);
  },
  open: openUefi,
  toArguments: ({ codeFd, variablesFd, secureBoot }, { machine }) => ({
    // The variables are only safe from the guest's kernel when nothing but the firmware's own mode may write them.
    machine: [...(secureBoot && machine === "q35" ? ["smm=on"] : []), "pflash0=uefi-code", "pflash1=uefi-variables"],
    argv: [
      ...toFdNode("uefi-code", codeFd, { format: "raw", readOnly: true }),
      ...toFdNode("uefi-variables", variablesFd, { format: "qcow2", readOnly: false }),
      ...(secureBoot && machine === "q35"
        ? [
            ...["-global", "driver=cfi.pflash01,property=secure,value=on"],
            // Waking from sleep would leave the firmware's memory open.
            ...["-global", "ICH9-LPC.disable_s3=1"],
          ]
        : []),
    ],
  }),
  remove: async (directory) => rm(variablesPathOf(directory), { force: true }),
};

/** Whether a machine starts with UEFI. */
export function isUefi(options: Pick<Asked["options"], "firmware" | "architecture" | "kernel">): boolean {
  if (options.firmware !== Firmware.FIRMWARE_UNSPECIFIED) return options.firmware === Firmware.FIRMWARE_UEFI;
  // There is no other; but a kernel that is booted directly needs none.
  return architectureOf(options) !== "x86_64" && options.kernel === "";
}

/** Where a machine's variables are kept. */
function variablesPathOf(directory: string): string {
  return join(directory, "uefi-variables.qcow2");
}

function check({ spec, options }: Asked): FieldViolation[] {
  const violations: FieldViolation[] = [];
  const { memoryMib } = sizeOf(spec);
  if (isUefi(options) && memoryMib < minMemoryMib) {
    violations.push(violation("memory_mib", `${memoryMib} MiB are too little for UEFI, which needs ${minMemoryMib}`));
  }
  const known = [Firmware.FIRMWARE_UNSPECIFIED, Firmware.FIRMWARE_BIOS, Firmware.FIRMWARE_UEFI];
  if (!known.includes(options.firmware)) {
    violations.push(violation("qemu.firmware", "is not known; use BIOS, UEFI or leave it unset"));
  }
  if (options.firmware === Firmware.FIRMWARE_UEFI && options.machine === "microvm") {
    violations.push(violation("qemu.firmware", 'a microvm boots a kernel directly; use "q35" for UEFI'));
  }
  if (options.firmware === Firmware.FIRMWARE_BIOS && options.architecture === "aarch64") {
    violations.push(violation("qemu.firmware", "there is no BIOS for aarch64; use UEFI or leave it unset"));
  }
  if (options.secureBoot && options.kernel !== "") {
    violations.push(
      violation("qemu.secure_boot", "does not go with a kernel of its own, which is not checked; boot from a disk"),
    );
  }
  if (options.secureBoot && !isUefi(options)) violations.push(violation("qemu.secure_boot", "needs UEFI as firmware"));
  else if (options.secureBoot && !["q35", "virt"].includes(machineTypeOf(options))) {
    violations.push(violation("qemu.secure_boot", 'needs a machine of type "q35"'));
  }
  return violations;
}

function filesOf(options: Asked["options"]) {
  const { plain, secure, debianPackage } = files[architectureOf(options)];
  return { ...(options.secureBoot ? secure : plain), debianPackage };
}

async function assertThere(options: Asked["options"]): Promise<void> {
  const { code, variables, debianPackage } = filesOf(options);
  for (const path of [code, variables]) {
    if (await isThere(path)) continue;
    const field = "instance.spec.qemu.firmware";
    const message = `${field}: the host has no UEFI for this machine; install it there with: apt-get install ${debianPackage}`;
    throw failedPrecondition("FIRMWARE_MISSING", field, message);
  }
}

async function openUefi({ options, instance, inherited, resource, signal }: Launch): Promise<UefiPlan | undefined> {
  if (!isUefi(options)) return undefined;
  await assertThere(options);
  const { code, variables } = filesOf(options);
  const path = variablesPathOf(instance.directory);
  if (!(await isThere(path))) {
    // Whole or not at all: half of it would be a machine that forgets how it boots.
    const unfinished = `${path}.new`;
    await run("qemu-img", ["convert", "-f", "raw", "-O", "qcow2", variables, unfinished], { signal });
    await rename(unfinished, path);
  }
  const kept = await openExactly(path, "r+").catch((cause: unknown) => {
    throw damaged(resource, toldOf(cause));
  });
  return {
    codeFd: inherited.share(inherited.keep(await open(code, "r"))),
    variablesFd: inherited.share(inherited.keep(kept)),
    secureBoot: options.secureBoot,
  };
}

async function isThere(path: string): Promise<boolean> {
  return await lstat(path).then(
    () => true,
    () => false,
  );
}

function damaged(resource: string, why: string): Error {
  return failedPrecondition(
    "FIRMWARE_DAMAGED",
    resource,
    `${resource}: the variables of its firmware cannot be opened (${why}); delete and create the instance`,
  );
}
