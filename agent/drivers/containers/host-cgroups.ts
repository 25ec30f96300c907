import { readdir, readFile, statfs } from "node:fs/promises";
import { readIfExists } from "../../../lib/files.js";
import { run } from "../../host/exec.js";
import { findHostMountNamespace } from "../../host/mount-namespace.js";

/** Magic numbers of linux/magic.h. */
const cgroup2Magic = 0x63677270;
const tmpfsMagic = 0x01021994;
const cgroupPath = "/sys/fs/cgroup";

/** Controllers a container's limits need. */
const wantedControllers = ["memory", "cpu", "cpuset", "pids", "freezer", "devices", "blkio"] as const;
export type Controller = (typeof wantedControllers)[number];

/** How the host's control groups are set up, and how to reach them. */
export interface HostCgroups {
  readonly version: "v1" | "v2" | "none";
  /** Version 1 with a version 2 hierarchy beside it, which crun refuses to work with. */
  readonly hybrid: boolean;
  readonly controllers: ReadonlySet<Controller>;
  /** Swap can be limited. Default: no. */
  readonly swap?: boolean;
  /** Disks are shared by weight. Default: no. */
  readonly ioWeight?: boolean;
  /** Command that must precede a runtime's: it enters the mount namespace that has the control groups. */
  readonly enter: readonly string[];
}

/** Reads of the file system, here or in another mount namespace. */
interface Reader {
  /** Magic number of the file system that holds a path; undefined when it does not exist. */
  typeOf(path: string): Promise<number | undefined>;
  list(path: string): Promise<readonly string[]>;
  text(path: string): Promise<string>;
}

/**
 * Looks at the host's control groups. `ip netns exec` hides them behind a new /sys: then they are looked for, and later used, in
 * the host's mount namespace.
 */
export async function detectCgroups(): Promise<HostCgroups> {
  const own = await read(here);
  if (own !== undefined) return { ...own, enter: [] };
  const host = await findHostMountNamespace();
  const enter = host === undefined ? [] : ["nsenter", `--mount=${host}`, "--"];
  const theirs = host === undefined ? undefined : await read(inside(host));
  if (theirs !== undefined) return { ...theirs, enter };
  return { version: "none", hybrid: false, controllers: new Set(), enter: [] };
}

/**
 * A file of a control group; undefined when there is none.
 * @param controller decides over the hierarchy where there are several.
 * @param path below the root of the hierarchy.
 */
export async function readGroupFile(
  { version, enter }: HostCgroups,
  controller: Controller,
  path: string,
): Promise<string | undefined> {
  const file = version === "v2" ? `${cgroupPath}/${path}` : `${cgroupPath}/${controller}/${path}`;
  const [tool, ...argv] = enter;
  if (tool === undefined) return readIfExists(file);
  return (await run(tool, [...argv, "cat", file]).catch(() => undefined))?.stdout;
}

async function read(reader: Reader): Promise<Omit<HostCgroups, "enter"> | undefined> {
  const type = await reader.typeOf(cgroupPath);
  if (type === cgroup2Magic) {
    const names = (await reader.text(`${cgroupPath}/cgroup.controllers`)).trim().split(" ");
    // Version 2 freezes and filters devices without a controller, and calls that of disks otherwise.
    const more = names.includes("io") ? ["blkio"] : [];
    const controllers = pick([...names, ...more, "freezer", "devices"]);
    return { version: "v2", hybrid: false, controllers, swap: controllers.has("memory"), ioWeight: more.length > 0 };
  }
  if (type !== tmpfsMagic) return undefined;
  const unified = await reader.typeOf(`${cgroupPath}/unified`);
  const names = (await reader.list(cgroupPath)).flatMap((name) => name.split(","));
  const has = async (file: string) => (await reader.typeOf(`${cgroupPath}/${file}`)) !== undefined;
  const weights = await Promise.all(["blkio/blkio.weight", "blkio/blkio.bfq.weight"].map(has));
  return {
    version: "v1",
    hybrid: unified === cgroup2Magic,
    controllers: pick(names),
    swap: await has("memory/memory.memsw.limit_in_bytes"),
    ioWeight: weights.includes(true),
  };
}

const here: Reader = {
  typeOf: async (path) => (await statfs(path).catch(() => undefined))?.type,
  list: (path) => readdir(path),
  text: (path) => readFile(path, "utf8"),
};

function inside(mountNamespace: string): Reader {
  const output = async (...argv: readonly string[]) =>
    (await run("nsenter", [`--mount=${mountNamespace}`, "--", ...argv])).stdout;
  return {
    typeOf: async (path) => {
      const text = await output("stat", "--file-system", "--format=%t", path).catch(() => undefined);
      return text === undefined ? undefined : Number.parseInt(text, 16);
    },
    list: async (path) => (await output("ls", "-1", path)).trim().split("\n"),
    text: (path) => output("cat", path),
  };
}

function pick(names: readonly string[]): ReadonlySet<Controller> {
  return new Set(wantedControllers.filter((name) => names.includes(name)));
}
