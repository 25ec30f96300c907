import type { Volume } from "../../../proto/gen/zor/v1/volume.js";
import { parseMemoryMib } from "../../kit/input/memory.js";
import { flagText, type KindCommands } from "../../kit/kind-commands.js";

const description = { flags: "-m, --description <text>", help: "what people say of it" };

/** What the command line can say of volumes. */
export const volumeCommands: KindCommands<Volume> = {
  create: {
    description: "Make a volume: a disk that stays when the machines that have it are deleted.",
    flags: [
      {
        flags: "--size <size>",
        help: "such as 512M or 10G; it can grow later; default with --image: as large as that",
      },
      { flags: "--image <image>", help: "disk image whose content it begins with, which is copied", kind: "image" },
      { flags: "--pool <pool>", help: "where it is kept (default: default)", kind: "pool" },
      { flags: "--format <format>", help: "what it is kept as where volumes are files", choices: ["qcow2", "raw"] },
      description,
    ],
    examples: [
      "alpha/data --size 10G",
      "alpha/log --size 2G --pool fast --format raw",
      "alpha/system --image debian --size 20G",
    ],
    read: ({ values }) => {
      const size = flagText(values, "size");
      return {
        spec: {
          pool: flagText(values, "pool") ?? "",
          sizeMib: size === undefined ? 0n : parseMemoryMib("--size", size),
          format: flagText(values, "format") ?? "",
          image: flagText(values, "image") ?? "",
          description: flagText(values, "description") ?? "",
        },
      };
    },
  },
  set: {
    description:
      "Grow a volume, or change what is said of it. A running machine that has it sees the new size at once.",
    flags: [{ flags: "--size <size>", help: "such as 20G; volumes grow only" }, description],
    examples: ["alpha/data --size 20G", "alpha/data -m 'the database'"],
    read: ({ values }) => {
      const [size, text] = [flagText(values, "size"), flagText(values, "description")];
      return {
        resource: {
          spec: {
            ...(size === undefined ? {} : { sizeMib: parseMemoryMib("--size", size) }),
            ...(text === undefined ? {} : { description: text }),
          },
        },
        paths: [...(size === undefined ? [] : ["spec.size_mib"]), ...(text === undefined ? [] : ["spec.description"])],
      };
    },
  },
};
