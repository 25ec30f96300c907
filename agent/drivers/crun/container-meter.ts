import type { Measured } from "../abilities/measured.js";
import type { HostCgroups } from "../containers/host-cgroups.js";
import { containerId } from "./subject.js";

/** Where the kernel counts what containers use: in the control group that the runtime makes for each. */
export function containerMeter(cgroupsOf: () => Promise<HostCgroups>): Measured {
  return {
    placeOf: async (instance) => {
      const { version, enter } = await cgroupsOf();
      if (version === "none") return undefined;
      // What a command would have to enter is looked at through a process that is in it.
      const mount = enter.map((word) => /^--mount=(\/proc\/\d+)\/ns\/mnt$/.exec(word)?.[1]).find(Boolean);
      const root = `${mount === undefined ? "" : `${mount}/root`}/sys/fs/cgroup`;
      return { kind: "group", version, root, path: containerId(instance) };
    },
  };
}
