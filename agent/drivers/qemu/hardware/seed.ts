import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { FieldViolation } from "../../../../lib/errors.js";
import type { Seed } from "../../../../proto/gen/zor/v1/qemu.js";
import { openExactly } from "../../../host/open-exactly.js";
import type { DriverInstance } from "../../driver.js";
import type { InheritedFd } from "../inherited-files.js";
import { violation } from "../options.js";
import { pciSlots, toPci } from "../placement.js";
import { makeSmallImage, type SmallFile } from "../small-image.js";
import { toFdNode, toPciDevice } from "./device.js";
import type { Asked, HardwarePart } from "./part.js";

const maxBytes = 64 * 1024;
const fields = ["userData", "metaData", "networkConfig"] as const;
const names = { userData: "user_data", metaData: "meta_data", networkConfig: "network_config" } as const;

/** A read-only disk labelled "cidata", where cloud-init's source NoCloud looks. */
export const seed: HardwarePart<InheritedFd> = {
  check,
  open: async ({ options, instance, inherited, resource, signal }) => {
    if (options.seed === undefined) return undefined;
    const path = pathOf(instance.directory);
    const files = toSeedFiles(options.seed, instance);
    await makeSmallImage(path, { format: "iso", label: "cidata", files }, { signal, resource });
    return inherited.share(inherited.keep(await openExactly(path)));
  },
  toArguments: (fd) => ({
    argv: [
      ...toFdNode("seed", fd, { format: "raw", readOnly: true }),
      ...["-device", toPciDevice("virtio-blk-pci", "id=seed,drive=seed,serial=seed", toPci(pciSlots.seed))],
    ],
  }),
  remove: async (directory) => rm(pathOf(directory), { force: true }),
};

/** The files of a seed; pure. */
export function toSeedFiles(asked: Seed, { uid, id }: Pick<DriverInstance, "uid" | "id">): readonly SmallFile[] {
  return [
    {
      name: "meta-data",
      content: asked.metaData === "" ? `instance-id: ${uid}\nlocal-hostname: ${id}\n` : asked.metaData,
    },
    { name: "user-data", content: asked.userData === "" ? "#cloud-config\n{}\n" : asked.userData },
    ...(asked.networkConfig === "" ? [] : [{ name: "network-config", content: asked.networkConfig }]),
  ];
}

function pathOf(directory: string): string {
  return join(directory, "seed.iso");
}

function check({ options }: Asked): FieldViolation[] {
  const { seed: asked, machine } = options;
  if (asked === undefined) return [];
  const violations = fields.flatMap((field): FieldViolation[] => {
    const bytes = Buffer.byteLength(asked[field]);
    if (bytes <= maxBytes) return [];
    return [violation(`qemu.seed.${names[field]}`, `${bytes} bytes are more than the ${maxBytes} it may have`)];
  });
  if (machine === "microvm") violations.push(violation("qemu.seed", 'a microvm has no place for it; use "q35"'));
  return violations;
}
