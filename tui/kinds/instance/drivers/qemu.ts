import { invalidArgument } from "../../../../lib/errors.js";
import { quote } from "../../../../lib/names.js";
import { flagText, flagTexts } from "../../../kit/kind-commands.js";
import type { DriverFlags } from "./driver-flags.js";
import { parseDisk, toCdroms } from "./qemu-disks.js";
import { hardwareFlags, readHardware } from "./qemu-hardware.js";

/** Also what containers of an engine are made of, where --driver says so. */
export const imageFlag = {
  flags: "--image <file>",
  help: "qemu: disk image to boot from; its changes last until the next start",
  repeatable: true,
};

/** Flags for machines. */
export const qemuFlags: DriverFlags = {
  driver: "qemu",
  takesCommand: false,
  flags: [
    { flags: "--kernel <file>", help: "qemu: kernel for direct boot; micro is the built-in image" },
    { flags: "--initrd <file>", help: "qemu: initial ram disk" },
    { flags: "--append <text>", help: "qemu: more kernel command line" },
    imageFlag,
    {
      flags: "--disk <fields>",
      help: "qemu: image=FILE (or none), size=SIZE, persistent, bus=BUS, cache=MODE, serial=TEXT and more; may be repeated",
      repeatable: true,
    },
    {
      flags: "--cdrom <fields>",
      help: "qemu: a drive: a file, empty, or image=FILE,bus=BUS; may be repeated",
      repeatable: true,
    },
    { flags: "--machine <type>", help: "qemu: q35, pc or microvm" },
    { flags: "--accel <accelerator>", help: "qemu: kvm or tcg (default: the best that works)" },
    ...hardwareFlags,
  ],
  read: (values) => {
    const persistent = values["persistent"] === true;
    const disks = [
      ...flagTexts(values, "image").map((image) => ({ image, persistent })),
      ...flagTexts(values, "disk").map((text) => parseDisk(text, persistent)),
    ];
    return {
      ...(flagText(values, "machine") === undefined ? {} : { machine: flagText(values, "machine") }),
      ...acceleratorOf(flagText(values, "accel")),
      ...(flagText(values, "kernel") === undefined ? {} : { kernel: flagText(values, "kernel") }),
      ...(flagText(values, "initrd") === undefined ? {} : { initrd: flagText(values, "initrd") }),
      ...(flagText(values, "append") === undefined ? {} : { kernelArguments: flagText(values, "append") }),
      ...(disks.length === 0 ? {} : { disks }),
      ...toCdroms(flagTexts(values, "cdrom")),
      ...readHardware(values),
    };
  },
  check: ({ kernel, disks, cdroms, bootOrder }) => {
    if ([kernel, disks, cdroms, bootOrder].some((given) => given !== undefined)) return;
    throw invalidArgument(
      "--kernel",
      "a machine needs --image FILE, --disk, --cdrom or --kernel; --kernel micro is the built-in one",
    );
  },
};

function acceleratorOf(text: string | undefined): { readonly accelerator?: string } {
  if (text === undefined) return {};
  if (text === "kvm" || text === "tcg") return { accelerator: `ACCELERATOR_${text.toUpperCase()}` };
  throw invalidArgument("--accel", `${quote(text)} is neither kvm nor tcg`);
}
