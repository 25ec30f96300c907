import type { FieldViolation } from "../../../../lib/errors.js";
import { quote } from "../../../../lib/names.js";
import type { CdromDrive } from "../../../../proto/gen/zor/v1/qemu.js";
import { openMedium } from "../cd-medium.js";
import { driveName } from "../ids.js";
import type { InheritedFd } from "../inherited-files.js";
import { violation } from "../options.js";
import { driveBusOf, type MachineType } from "../placement.js";
import { bootIndexOf } from "./boot-order.js";
import { type DeviceProperties, toDeviceWord } from "./device.js";
import { checkNames } from "./disk-check.js";
import { toUnitProperties } from "./disk-device.js";
import type { BlockNode } from "./disk-nodes.js";
import type { Asked, HardwarePart } from "./part.js";

/** A drive whose medium is open. */
interface DrivePlan {
  readonly drive: CdromDrive;
  /** Undefined: it is empty. */
  readonly medium: InheritedFd | undefined;
  /** Place in the order in which the firmware looks for something to boot; undefined: it does not look here. */
  readonly bootIndex?: number | undefined;
}

const maxDrives = 4;
const buses = ["sata", "ide", "scsi", "usb"];

/** CD-ROM drives. */
export const cdroms: HardwarePart<readonly DrivePlan[]> = {
  check,
  admit: async ({ options }, { imageDirectories }) => {
    for (const [index, { image }] of options.cdroms.entries()) {
      if (image === "") continue;
      await using medium = await openMedium(imageDirectories, image, `instance.spec.qemu.cdroms[${index}].image`);
      void medium;
    }
  },
  open: async (launch) => {
    const { options, inherited, imageDirectories } = launch;
    const plans: DrivePlan[] = [];
    for (const [index, drive] of options.cdroms.entries()) {
      const field = `instance.spec.qemu.cdroms[${index}].image`;
      const medium =
        drive.image === "" ? undefined : inherited.keep(await openMedium(imageDirectories, drive.image, field));
      plans.push({
        drive,
        medium: medium === undefined ? undefined : inherited.share(medium.file),
        bootIndex: bootIndexOf(launch, "cdrom", index),
      });
    }
    return plans;
  },
  toArguments: (plans, { machine }) => ({
    argv: plans.flatMap(({ drive, medium, bootIndex }, index) => [
      ...(medium === undefined
        ? []
        : [
            ...["-add-fd", `fd=${medium},set=${medium}`],
            ...["-blockdev", JSON.stringify(toMediumNode(firstMedium(driveName(drive, index)), medium))],
          ]),
      ...toDrive(drive, index, { machine, isFull: medium !== undefined, bootIndex }).flatMap((device) => [
        "-device",
        toDeviceWord(device),
      ]),
    ]),
  }),
};

/** Node of the medium that a drive is started with. */
const firstMedium = (id: string): string => `${id}medium`;

/** The node of a medium in a set of descriptors; pure. */
export function toMediumNode(node: string, set: number): BlockNode {
  const file = { driver: "file", filename: `/dev/fdset/${set}`, "read-only": true };
  return { driver: "raw", "node-name": node, "read-only": true, file };
}

function toDrive(
  drive: CdromDrive,
  index: number,
  {
    machine,
    isFull,
    bootIndex,
  }: { readonly machine: MachineType; readonly isFull: boolean; readonly bootIndex: number | undefined },
): readonly DeviceProperties[] {
  const bus = driveBusOf(drive, machine);
  const id = driveName(drive, index);
  const common = {
    id,
    ...(isFull ? { drive: firstMedium(id) } : {}),
    ...(bootIndex === undefined ? {} : { bootindex: bootIndex }),
  };
  const place = toUnitProperties(bus, drive.deviceAddress, machine);
  if (bus === "scsi") return [{ driver: "scsi-cd", ...common, ...place }];
  if (bus !== "usb") return [{ driver: "ide-cd", ...common, ...place }];
  // Its own kind of device for the bus takes disks only.
  return [
    { driver: "usb-bot", id: `${id}bot`, ...place },
    { driver: "scsi-cd", ...common, bus: `${id}bot.0`, "scsi-id": 0, lun: 0 },
  ];
}

function check({ options }: Asked): FieldViolation[] {
  const { cdroms: list, machine } = options;
  if (list.length === 0) return [];
  if (machine === "microvm")
    return [violation("qemu.cdroms", 'must be empty: a microvm has no drives; use machine "q35"')];
  if (list.length > maxDrives) {
    return [violation("qemu.cdroms", `${list.length} are more than the ${maxDrives} a machine can have`)];
  }
  const wrong = list.flatMap(({ bus }, index) =>
    bus === "" || buses.includes(bus)
      ? []
      : [
          violation(
            `qemu.cdroms[${index}].bus`,
            `${quote(bus)} has no drives; it can be "sata", "ide", "scsi" or "usb"`,
          ),
        ],
  );
  return [...wrong, ...checkNames(list, "cdrom")];
}
