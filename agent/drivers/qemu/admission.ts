import { cpus, totalmem } from "node:os";
import { failedPrecondition, invalidFields } from "../../../lib/errors.js";
import { Accelerator, type InstanceSpec } from "../../../proto/gen/zor/v1/instance.js";
import { assertBootable } from "./boot-memory.js";
import { diskSizeBytes } from "./disks.js";
import { openChain } from "./image-chain.js";
import type { KvmVerdict } from "./kvm-probe.js";
import { openBootFiles } from "./launch.js";
import { checkQemuSpec, qemuOptionsOf, sizeOf } from "./validate.js";

const bytesPerMib = 1024n * 1024n;

/** Checks a spec against this host, with its images; changes nothing. @throws {ZorError} INVALID_ARGUMENT or FAILED_PRECONDITION */
export async function admit(spec: InstanceSpec, imageDirectories: readonly string[]): Promise<void> {
  const host = { cpus: cpus().length, memoryMib: Math.floor(totalmem() / Number(bytesPerMib)) };
  const violations = checkQemuSpec(spec, host);
  if (violations.length > 0) throw invalidFields(violations);
  const { kernel, disks } = qemuOptionsOf(spec);
  if (kernel !== "") {
    await using boot = await openBootFiles(imageDirectories, spec);
    await assertBootable(boot, sizeOf(spec).memoryMib);
  }
  for (const [index, disk] of disks.entries()) {
    const field = `instance.spec.qemu.disks[${index}]`;
    await using chain = await openChain(imageDirectories, disk.image, `${field}.image`);
    if (diskSizeBytes(disk, chain) >= chain.virtualSizeBytes) continue;
    const smallest = (chain.virtualSizeBytes + bytesPerMib - 1n) / bytesPerMib;
    throw invalidFields([
      { field: `${field}.size_mib`, description: `is smaller than the image; use 0 or at least ${smallest}` },
    ]);
  }
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
