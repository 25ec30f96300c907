import { failedPrecondition, invalidFields } from "../../../lib/errors.js";
import { Accelerator, type Disk, type InstanceSpec } from "../../../proto/gen/zor/v1/instance.js";
import type { DiskQuota } from "../disk-quota.js";
import { assertBootable } from "./boot-memory.js";
import { diskSizeBytes } from "./disks.js";
import { openChain } from "./image-chain.js";
import type { KvmVerdict } from "./kvm-probe.js";
import { openBootFiles } from "./launch.js";
import { checkQemuSpec, qemuOptionsOf, sizeOf } from "./validate.js";

const bytesPerMib = 1024n * 1024n;

/** Checks a spec against this host, with its images; changes nothing. @throws {ZorError} INVALID_ARGUMENT or FAILED_PRECONDITION */
export async function admit(spec: InstanceSpec, imageDirectories: readonly string[], quota: DiskQuota): Promise<void> {
  const violations = checkQemuSpec(spec);
  if (violations.length > 0) throw invalidFields(violations);
  const { kernel, disks } = qemuOptionsOf(spec);
  if (kernel !== "") {
    await using boot = await openBootFiles(imageDirectories, spec);
    await assertBootable(boot, sizeOf(spec).memoryMib);
  }
  const limitMib = disks.length === 0 ? 0 : await quota.instanceMib();
  let totalMib = 0;
  for (const [index, disk] of disks.entries()) {
    const field = `instance.spec.qemu.disks[${index}]`;
    await using chain = await openChain(imageDirectories, disk.image, `${field}.image`);
    if (diskSizeBytes(disk, chain) < chain.virtualSizeBytes) {
      const description = `is smaller than the image; use 0 or at least ${toMib(chain.virtualSizeBytes)}`;
      throw invalidFields([{ field: `${field}.size_mib`, description }]);
    }
    totalMib += Number(toMib(diskSizeBytes(disk, chain)));
    if (totalMib <= limitMib) continue;
    const what = disks.length === 1 ? "the disk is" : `with this one the disks are`;
    const description = `${what} ${totalMib} MiB in size, more than the ${limitMib} MiB a machine may have; use a smaller one, or raise disk.instanceMib in the agent's settings`;
    throw invalidFields([{ field: disk.sizeMib === 0n ? `${field}.image` : `${field}.size_mib`, description }]);
  }
}

/** Virtual size of all disks together, in MiB. @throws {ZorError} as opening the images does. */
export async function totalDiskMib(disks: readonly Disk[], imageDirectories: readonly string[]): Promise<number> {
  let total = 0n;
  for (const [index, disk] of disks.entries()) {
    await using chain = await openChain(imageDirectories, disk.image, `instance.spec.qemu.disks[${index}].image`);
    total += toMib(diskSizeBytes(disk, chain));
  }
  return Number(total);
}

function toMib(bytes: bigint): bigint {
  return (bytes + bytesPerMib - 1n) / bytesPerMib;
}

/** The accelerator for a spec. @throws {ZorError} FAILED_PRECONDITION when it demands KVM and KVM does not work. */
export async function chooseAccelerator(spec: InstanceSpec, probe: () => Promise<KvmVerdict>): Promise<"kvm" | "tcg"> {
  const { accelerator } = qemuOptionsOf(spec);
  if (accelerator === Accelerator.ACCELERATOR_TCG) return "tcg";
  const { works, reason } = await probe();
  if (works) return "kvm";
  if (accelerator !== Accelerator.ACCELERATOR_KVM) return "tcg";
  throw failedPrecondition(
    "KVM_UNAVAILABLE",
    "instance.spec.qemu.accelerator",
    `instance.spec.qemu.accelerator: the host cannot run KVM machines: ${reason}; leave it unset to use what works`,
  );
}
