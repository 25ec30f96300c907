import { invalidArgument } from "../../../../lib/errors.js";
import {
  containerFlags,
  flagField,
  readContainer,
  readMounts,
  readSize,
  readTmpfs,
  readTraffic,
} from "./container-flags.js";
import type { DriverFlags } from "./driver-flags.js";

/** Flags for containers. */
export const crunFlags: DriverFlags = {
  driver: "crun",
  takesCommand: true,
  flags: [
    {
      flags: "--rootfs <path>",
      help: "crun: directory, tar or zip archive, docker save archive or OCI layout; micro is the built-in one",
    },
    ...containerFlags,
    { flags: "--userns", help: "crun: with users of its own; root inside is nobody outside" },
    { flags: "--init <kind>", help: "crun: systemd, for what needs that as first process" },
  ],
  read: (values, words) => {
    const size = { ...readSize(values), ...readTraffic(values) };
    return {
      ...flagField(values, "rootfs", "rootfs"),
      command: words,
      ...readContainer(values),
      mounts: [...readMounts(values), ...readTmpfs(values)],
      userNamespace: values["userns"] === true,
      ...flagField(values, "init", "init"),
      ...(Object.keys(size).length === 0 ? {} : { limits: size }),
    };
  },
  check: ({ rootfs }) => {
    if (rootfs !== undefined) return;
    throw invalidArgument("--rootfs", "a container needs one; --rootfs micro is the built-in one");
  },
};
