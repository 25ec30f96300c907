import { invalidArgument } from "../../../../lib/errors.js";
import { parsePairs } from "../../../kit/input/key-values.js";
import { flagText, flagTexts } from "../../../kit/kind-commands.js";
import { containerFlags, readCapabilities } from "./container-flags.js";
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
    ...containerFlags,
  ],
  read: (values, words) => {
    return {
      ...(flagText(values, "rootfs") === undefined ? {} : { rootfs: flagText(values, "rootfs") }),
      command: words,
      environment: parsePairs("--env", flagTexts(values, "env")),
      persistent: values["persistent"] === true,
      ...readCapabilities(values),
      sysctls: parsePairs("--sysctl", flagTexts(values, "sysctl")),
    };
  },
  check: ({ rootfs }) => {
    if (rootfs !== undefined) return;
    throw invalidArgument("--rootfs", "a container needs one; --rootfs micro is the built-in one");
  },
};
