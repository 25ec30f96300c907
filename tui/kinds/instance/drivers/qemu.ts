import { invalidArgument } from "../../../../lib/errors.js";
import { quote } from "../../../../lib/names.js";
import { parseFields, singleField } from "../../../kit/input/key-values.js";
import { parseMemoryMib } from "../../../kit/input/memory.js";
import { flagText, flagTexts } from "../../../kit/kind-commands.js";
import type { DriverFlags } from "./driver-flags.js";

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
    { flags: "--disk <fields>", help: "qemu: image=FILE,persistent,size=SIZE; may be repeated", repeatable: true },
    { flags: "--machine <type>", help: "qemu: q35, pc or microvm" },
    { flags: "--accel <accelerator>", help: "qemu: kvm or tcg (default: the best that works)" },
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
    };
  },
  check: ({ kernel, disks }) => {
    if (kernel !== undefined || disks !== undefined) return;
    throw invalidArgument(
      "--kernel",
      "a machine needs --image FILE, --disk or --kernel; --kernel micro is the built-in one",
    );
  },
};

function acceleratorOf(text: string | undefined): { readonly accelerator?: string } {
  if (text === undefined) return {};
  if (text === "kvm" || text === "tcg") return { accelerator: `ACCELERATOR_${text.toUpperCase()}` };
  throw invalidArgument("--accel", `${quote(text)} is neither kvm nor tcg`);
}

function parseDisk(text: string, persistent: boolean): object {
  const fields = parseFields("--disk", text, ["image", "persistent", "size"]);
  const size = singleField("--disk", fields, "size");
  const keep = singleField("--disk", fields, "persistent");
  if (keep !== undefined && keep !== "true" && keep !== "false") {
    throw invalidArgument("--disk", `persistent=${quote(keep)} is neither true nor false`);
  }
  return {
    image: singleField("--disk", fields, "image") ?? "",
    persistent: keep === undefined ? persistent : keep === "true",
    ...(size === undefined ? {} : { sizeMib: String(parseMemoryMib("--disk size", size)) }),
  };
}
