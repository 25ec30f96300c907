import { readdir, readFile, readlink, statfs } from "node:fs/promises";

/** Magic numbers of linux/magic.h. */
const cgroup2Magic = 0x63677270;
const tmpfsMagic = 0x01021994;
const cgroupPath = "/sys/fs/cgroup";

/** Controllers a container's limits need. */
const wantedControllers = ["memory", "cpu", "pids", "freezer", "devices"] as const;
export type Controller = (typeof wantedControllers)[number];

/** How the host's control groups are set up, and how to reach them. */
export interface HostCgroups {
  readonly version: "v1" | "v2" | "none";
  /** Version 1 with a version 2 hierarchy beside it, which crun refuses to work with. */
  readonly hybrid: boolean;
  readonly controllers: ReadonlySet<Controller>;
  /** Command that must precede a runtime's: it enters the mount namespace that has the control groups. */
  readonly enter: readonly string[];
}

/**
 * Looks at the host's control groups. `ip netns exec` hides them behind a new /sys: then those of process 1 are used, when it is
 * in another mount namespace.
 */
export async function detectCgroups(): Promise<HostCgroups> {
  const own = await read("");
  if (own !== undefined) return { ...own, enter: [] };
  const [mine, first] = await Promise.all(
    ["self", "1"].map((pid) => readlink(`/proc/${pid}/ns/mnt`).catch(() => undefined)),
  );
  const hosts = first === undefined || mine === first ? undefined : await read("/proc/1/root");
  if (hosts !== undefined) return { ...hosts, enter: ["nsenter", "--mount=/proc/1/ns/mnt", "--"] };
  return { version: "none", hybrid: false, controllers: new Set(), enter: [] };
}

async function read(root: string): Promise<Omit<HostCgroups, "enter"> | undefined> {
  const path = root + cgroupPath;
  const type = (await statfs(path).catch(() => undefined))?.type;
  if (type === cgroup2Magic) {
    const names = (await readFile(`${path}/cgroup.controllers`, "utf8")).trim().split(" ");
    // Version 2 freezes and filters devices without a controller.
    return { version: "v2", hybrid: false, controllers: pick([...names, "freezer", "devices"]) };
  }
  if (type !== tmpfsMagic) return undefined;
  const unified = await statfs(`${path}/unified`).catch(() => undefined);
  const names = (await readdir(path)).flatMap((name) => name.split(","));
  return { version: "v1", hybrid: unified?.type === cgroup2Magic, controllers: pick(names) };
}

function pick(names: readonly string[]): ReadonlySet<Controller> {
  return new Set(wantedControllers.filter((name) => names.includes(name)));
}
