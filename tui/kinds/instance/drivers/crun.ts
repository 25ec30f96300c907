import { invalidArgument } from "../../../../lib/errors.js";
import { parsePairs } from "../../../kit/input/key-values.js";
import { flagText, flagTexts } from "../../../kit/kind-commands.js";
import type { DriverFlags } from "./driver-flags.js";

/** Flags for containers. */
export const crunFlags: DriverFlags = {
  driver: "crun",
  takesCommand: true,
  flags: [
    {
      flags: "--rootfs <path>",
      help: "crun: directory, tar archive, docker save archive or OCI layout; micro is the built-in one",
    },
    { flags: "--env <key=value>", help: "crun: environment of the command; may be repeated", repeatable: true },
    {
      flags: "--cap-add <name>",
      help: "crun: a capability more; most need the agent's permission; may be repeated",
      repeatable: true,
    },
    {
      flags: "--cap-drop <name>",
      help: "crun: a capability less; ALL is every default one; may be repeated",
      repeatable: true,
    },
    {
      flags: "--sysctl <name=value>",
      help: "crun: of the container's own net namespace; may be repeated",
      repeatable: true,
    },
  ],
  read: (values, words) => {
    const [add, drop] = [flagTexts(values, "capAdd"), flagTexts(values, "capDrop")];
    return {
      ...(flagText(values, "rootfs") === undefined ? {} : { rootfs: flagText(values, "rootfs") }),
      command: words,
      environment: parsePairs("--env", flagTexts(values, "env")),
      persistent: values["persistent"] === true,
      ...(add.length + drop.length === 0 ? {} : { capabilities: { add, drop } }),
      sysctls: parsePairs("--sysctl", flagTexts(values, "sysctl")),
    };
  },
  check: ({ rootfs }) => {
    if (rootfs !== undefined) return;
    throw invalidArgument("--rootfs", "a container needs one; --rootfs micro is the built-in one");
  },
};
