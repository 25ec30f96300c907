import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { FieldViolation } from "../../../../lib/errors.js";
import { quote } from "../../../../lib/names.js";
import type { ConfigDisk } from "../../../../proto/gen/zor/v1/qemu.js";
import { openExactly } from "../../../host/open-exactly.js";
import type { InheritedFd } from "../inherited-files.js";
import { violation } from "../options.js";
import { busOf, busPlaces, driveBusOf, machineTypeOf, pciSlots, toPci } from "../placement.js";
import { makeSmallImage } from "../small-image.js";
import { toFdNode, toPciDevice } from "./device.js";
import type { Asked, HardwarePart, MachineFacts } from "./part.js";

interface ConfigDiskPlan {
  readonly format: "iso" | "fat";
  readonly fd: InheritedFd;
}

const maxFiles = 64;
const maxFileBytes = 64 * 1024;
const maxTotalBytes = 1024 * 1024;
const namePattern = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$/;
const labelPatterns = { iso: /^[A-Za-z0-9_-]{1,32}$/, fat: /^[A-Z0-9_-]{1,11}$/ } as const;

/** A read-only disk for guests that read their configuration from one: an ISO image as a CD, a FAT image as a virtio disk. */
export const configDisk: HardwarePart<ConfigDiskPlan> = {
  check,
  open: async ({ options, instance, inherited, resource, signal }) => {
    const { configDisk: asked } = options;
    if (asked === undefined) return undefined;
    const path = pathOf(instance.directory);
    const format = formatOf(asked) ?? "iso";
    const image = { format, label: asked.label === "" ? "CONFIG" : asked.label, files: asked.files };
    await makeSmallImage(path, image, { signal, resource });
    return { format, fd: inherited.share(inherited.keep(await openExactly(path))) };
  },
  toArguments: (plan, facts) => ({
    argv: [...toFdNode("config", plan.fd, { format: "raw", readOnly: true }), "-device", toDevice(plan, facts)],
  }),
  remove: async (directory) => rm(pathOf(directory), { force: true }),
};

function pathOf(directory: string): string {
  return join(directory, "config.img");
}

/** CDs are at the last place of the controller that the machine has anyway, the furthest from where others are put first. */
function toDevice({ format }: ConfigDiskPlan, { machine }: MachineFacts): string {
  const drive = "id=config,drive=config,serial=config";
  if (format === "iso" && machine === "q35") return `ide-cd,${drive},bus=ide.5`;
  if (format === "iso" && machine === "pc") return `ide-cd,${drive},bus=ide.1,unit=1`;
  return toPciDevice("virtio-blk-pci", drive, toPci(pciSlots.configDisk));
}

function formatOf({ format }: ConfigDisk): "iso" | "fat" | undefined {
  if (format === "") return "iso";
  return format === "iso" || format === "fat" ? format : undefined;
}

/** A CD is at the last place of the machine's own controller. */
function isPlaceFree(options: Asked["options"]): boolean {
  const machine = machineTypeOf(options);
  if (machine !== "q35" && machine !== "pc") return true;
  const bus = machine === "q35" ? "sata" : "ide";
  const used = [...options.disks.map(busOf), ...options.cdroms.map((drive) => driveBusOf(drive, machine))];
  return used.filter((each) => each === bus).length < busPlaces[bus];
}

function check({ options }: Asked): FieldViolation[] {
  const { configDisk: asked, machine } = options;
  if (asked === undefined) return [];
  const wrong = (name: string, description: string) => violation(`qemu.config_disk.${name}`, description);
  const violations: FieldViolation[] = [];
  if (machine === "microvm") violations.push(violation("qemu.config_disk", 'a microvm has no place for it; use "q35"'));
  const format = formatOf(asked);
  if (format === undefined) violations.push(wrong("format", `${quote(asked.format)} is neither "iso" nor "fat"`));
  else if (asked.label !== "" && !labelPatterns[format].test(asked.label)) {
    const allowed = format === "fat" ? "11 capital letters, digits" : "32 letters, digits";
    violations.push(wrong("label", `${quote(asked.label)} is not 1 to ${allowed}, "_" and "-"`));
  }
  if (format === "iso" && !isPlaceFree(options)) {
    violations.push(
      wrong("format", 'there is no place for a CD: "sata" and "ide" are full; use "fat", or one disk less there'),
    );
  }
  const { files } = asked;
  if (files.length === 0 || files.length > maxFiles) {
    return [...violations, wrong("files", `must be 1 to ${maxFiles} files, there are ${files.length}`)];
  }
  const total = files.reduce((sum, { content }) => sum + content.length, 0);
  if (total > maxTotalBytes)
    violations.push(wrong("files", `${total} bytes are more than the ${maxTotalBytes} it may have`));
  const seen = new Set<string>();
  for (const [index, { name, content }] of files.entries()) {
    const field = `files[${index}]`;
    if (!namePattern.test(name)) {
      violations.push(wrong(`${field}.name`, `${quote(name)} is not a name of letters, digits, "_", "-" and "."`));
    } else if (seen.has(name.toLowerCase())) violations.push(wrong(`${field}.name`, `${quote(name)} is there already`));
    seen.add(name.toLowerCase());
    if (content.length > maxFileBytes) {
      violations.push(wrong(`${field}.content`, `${content.length} bytes are more than ${maxFileBytes}`));
    }
  }
  return violations;
}
