import { type FieldViolation, invalidFields } from "../../../../lib/errors.js";
import type { Disk } from "../../../../proto/gen/zor/v1/qemu.js";
import { diskSizeBytes, type InstanceDisk, openDisks } from "../disks.js";
import { type DiskFormat, openChain } from "../image-chain.js";
import type { InheritedFd, InheritedFiles } from "../inherited-files.js";
import { violation } from "../options.js";
import { microvmPlaces } from "../placement.js";
import { toVirtioDevice } from "./device.js";
import type { Asked, HardwarePart, MachineHost } from "./part.js";

/** A disk with its backing images, top first. */
interface DiskPlan {
  readonly layers: readonly { readonly fd: InheritedFd; readonly format: DiskFormat }[];
  /** As recorded in the spec. */
  readonly address: string;
  /** Place in the order in which the firmware looks for something to boot; undefined: it does not look here. */
  readonly bootIndex: number | undefined;
}

const maxDisks = 16;
const bytesPerMib = 1024n * 1024n;
/** QEMU and the file systems below it go further; a typing error should not. */
const maxDiskMib = 16n * 1024n * 1024n;

export const disks: HardwarePart<readonly DiskPlan[]> = {
  check,
  admit,
  open: async (launch) => {
    const { options, inherited, instance } = launch;
    const opened = inherited.keep(await openDisks(options.disks, { ...launch, directory: instance.directory }));
    return opened.disks.map((disk, index) => ({
      layers: toLayers(disk, inherited),
      address: options.disks[index]?.deviceAddress ?? "",
      // A kernel that is booted directly has this place already.
      bootIndex: options.kernel === "" && index === 0 ? 0 : undefined,
    }));
  },
  toArguments: (plans) => ({
    argv: plans.flatMap((disk, index) => {
      const bootIndex = disk.bootIndex === undefined ? "" : `,bootindex=${disk.bootIndex}`;
      const properties = `drive=disk${index},serial=disk${index}${bootIndex}`;
      return [...toNodes(disk, index), "-device", toVirtioDevice("virtio-blk", properties, disk.address)];
    }),
  }),
};

/** Virtual size of all disks together, in MiB. @throws {ZorError} as opening the images does. */
export async function totalDiskMib(list: readonly Disk[], imageDirectories: readonly string[]): Promise<number> {
  let total = 0n;
  for (const [index, disk] of list.entries()) {
    await using chain = await openChain(imageDirectories, disk.image, `instance.spec.qemu.disks[${index}].image`);
    total += toMib(diskSizeBytes(disk, chain));
  }
  return Number(total);
}

function check({ options }: Asked): FieldViolation[] {
  const { disks: list, machine } = options;
  if (machine === "microvm" && list.length > microvmPlaces.disks) {
    return [violation("qemu.machine", `a microvm has room for ${microvmPlaces.disks} disks; use "q35"`)];
  }
  if (list.length > maxDisks)
    return [violation("qemu.disks", `${list.length} are more than the ${maxDisks} a machine can have`)];
  return list.flatMap(({ sizeMib }, index) =>
    sizeMib >= 0n && sizeMib <= maxDiskMib
      ? []
      : [violation(`qemu.disks[${index}].size_mib`, `${sizeMib} is not between 0 and ${maxDiskMib}`)],
  );
}

async function admit({ options }: Asked, { imageDirectories, quota }: MachineHost): Promise<void> {
  const { disks: list } = options;
  const limitMib = list.length === 0 ? 0 : await quota.instanceMib();
  let totalMib = 0;
  for (const [index, disk] of list.entries()) {
    const field = `instance.spec.qemu.disks[${index}]`;
    await using chain = await openChain(imageDirectories, disk.image, `${field}.image`);
    if (diskSizeBytes(disk, chain) < chain.virtualSizeBytes) {
      const description = `is smaller than the image; use 0 or at least ${toMib(chain.virtualSizeBytes)}`;
      throw invalidFields([{ field: `${field}.size_mib`, description }]);
    }
    totalMib += Number(toMib(diskSizeBytes(disk, chain)));
    if (totalMib <= limitMib) continue;
    const what = list.length === 1 ? "the disk is" : `with this one the disks are`;
    const description = `${what} ${totalMib} MiB in size, more than the ${limitMib} MiB a machine may have; use a smaller one, or raise disk.instanceMib in the agent's settings`;
    throw invalidFields([{ field: disk.sizeMib === 0n ? `${field}.image` : `${field}.size_mib`, description }]);
  }
}

function toMib(bytes: bigint): bigint {
  return (bytes + bytesPerMib - 1n) / bytesPerMib;
}

function toLayers({ overlay, chain }: InstanceDisk, inherited: InheritedFiles): DiskPlan["layers"] {
  const bases = chain.layers.map(({ file, format }) => ({ fd: inherited.share(file), format }));
  return [{ fd: inherited.share(overlay), format: "qcow2" }, ...bases];
}

/** One block node a layer, lowest first: a node must exist before it is named as backing. */
function toNodes(disk: DiskPlan, index: number): string[] {
  const nodeName = (level: number) => (level === 0 ? `disk${index}` : `disk${index}base${level}`);
  return disk.layers
    .map((layer, level) => {
      const readOnly = level > 0;
      const hasBacking = level + 1 < disk.layers.length;
      const node = {
        driver: layer.format,
        "node-name": nodeName(level),
        "read-only": readOnly,
        file: { driver: "file", filename: `/dev/fdset/${layer.fd}`, "read-only": readOnly },
        ...(readOnly ? {} : { discard: "unmap" }),
        // null: none, whatever the header says.
        ...(layer.format === "raw" ? {} : { backing: hasBacking ? nodeName(level + 1) : null }),
      };
      return ["-add-fd", `fd=${layer.fd},set=${layer.fd}`, "-blockdev", JSON.stringify(node)];
    })
    .reverse()
    .flat();
}
