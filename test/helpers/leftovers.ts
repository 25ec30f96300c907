import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";

/** What of the machine tests and the demo change. One line a thing, as a person would look for it. */
export interface MachineState {
  /** "process 12:3456 /usr/bin/...": pid, start time in ticks, command line, control group, working directory, run of npm test, root */
  readonly processes: readonly string[];
  /** "namespace zt-a" */
  readonly namespaces: readonly string[];
  /** "interface ztap0", of the caller's own net namespace; with the namespace of its far end where that has a name. */
  readonly interfaces: readonly string[];
  /** "mount /tmp/zt-x/root" */
  readonly mounts: readonly string[];
  /** "path /tmp/zt-x" */
  readonly paths: readonly string[];
}

/** Directories in whose entries leftovers show. */
const watchedDirectories = ["/tmp", "/run", "/var/lib/zor-demo", "/sys/fs/cgroup", "/sys/fs/cgroup/unified"];

/**
 * Reads the state of the machine now.
 * @param directories more directories whose entries count.
 */
export function captureMachine(directories: readonly string[] = []): MachineState {
  return {
    processes: processIds().flatMap(describeProcess),
    namespaces: entries("/run/netns").map((name) => `namespace ${name}`),
    interfaces: describeInterfaces(),
    mounts: readFileSync("/proc/self/mountinfo", "utf8")
      .trim()
      .split("\n")
      .map((line) => `mount ${line.split(" ")[4] ?? ""}`),
    paths: [...watchedDirectories, ...directories, ...cgroupHierarchies()].flatMap((directory) =>
      entries(directory).map((name) => `path ${directory}/${name}`),
    ),
  };
}

/**
 * Lines for what is there after and was not before.
 * @param ours what tells the caller's own among them: others may work on the machine at the same time.
 */
export function leftBehind(before: MachineState, after: MachineState, ours: RegExp): string[] {
  const known = new Set(Object.values(before).flat());
  return Object.values(after)
    .flat()
    .filter((line) => !known.has(line) && ours.test(line));
}

function processIds(): string[] {
  return entries("/proc").filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid);
}

/** Empty for kernel threads, zombies and processes that have just ended. */
function describeProcess(pid: string): string[] {
  try {
    const command = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trim();
    if (command === "") return [];
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // Field 22 counts from 1; the name in parentheses may hold spaces.
    const startTicks = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "";
    const cgroup = readFileSync(`/proc/${pid}/cgroup`, "utf8").trim().split("\n")[0] ?? "";
    const run = /(?:^|\0)(ZOR_TEST_RUN=\w+)/.exec(readFileSync(`/proc/${pid}/environ`, "utf8"))?.[1] ?? "";
    const facts = [cgroup, readlinkSync(`/proc/${pid}/cwd`), run, rootOf(pid)].filter((fact) => fact !== "");
    return [`process ${pid}:${startTicks} ${command} ${facts.join(" ")}`];
  } catch {
    return [];
  }
}

/** Where the root of a process comes from, when it is not that of the caller: the layers of an overlay, or a directory. */
function rootOf(pid: string): string {
  if (readlinkSync(`/proc/${pid}/ns/mnt`) === readlinkSync("/proc/self/ns/mnt")) return "";
  const mounts = readFileSync(`/proc/${pid}/mountinfo`, "utf8").split("\n");
  // Fields 4 and 5 are the root inside the file system and the mount point; what is mounted last is on top.
  const root = mounts.findLast((line) => line.split(" ")[4] === "/") ?? "";
  return `${root.split(" ")[3] ?? ""} ${root.split(" ").at(-1) ?? ""}`;
}

function cgroupHierarchies(): string[] {
  return entries("/sys/fs/cgroup")
    .map((name) => `/sys/fs/cgroup/${name}`)
    .filter((path) => statSync(path).isDirectory());
}

function describeInterfaces(): string[] {
  // iproute2 prints arrays with one object for each interface, and for each namespace that interfaces of this one lead to.
  const links = ipJson("link") as readonly { readonly ifname: string; readonly link_netnsid?: number }[];
  const peers = ipJson("netns", "list-id") as readonly { readonly nsid: number; readonly name?: string }[];
  const names = new Map(peers.map(({ nsid, name }) => [nsid, name]));
  return links.map(({ ifname, link_netnsid: peer }) => {
    const name = peer === undefined ? undefined : names.get(peer);
    return `interface ${ifname}${name === undefined ? "" : ` to ${name}`}`;
  });
}

function ipJson(...argv: readonly string[]): unknown {
  return JSON.parse(execFileSync("ip", ["-j", ...argv], { encoding: "utf8" }) || "[]");
}

/** Names in a directory; none when it does not exist. */
function entries(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

/**
 * What a run of npm test left. Its tag is in the names of namespaces and demos, and in the environment, arguments or root of processes; its
 * temporary files are in a directory of its own.
 */
function leftByRun(before: MachineState, tag: string, directory: string): string[] {
  return leftBehind(before, captureMachine([directory]), /^/).filter((line) => {
    // Tools keep caches there too.
    if (line.startsWith(`path ${directory}/`)) return /\/(zt|zor-)[^/]*$/.test(line);
    if (line.includes(tag)) return true;
    // Neither carries a tag. Those of other programs have far ends with names, and processes in them.
    if (/^interface z\w+$/.test(line)) return true;
    return /^path \/sys\/fs\/cgroup\/.*\/zor-/.test(line) && isEmptyGroup(line.slice("path ".length));
  });
}

function isEmptyGroup(path: string): boolean {
  if (processesIn(path) !== "") return false;
  return entries(path).every((name) => processesIn(`${path}/${name}`) === "");
}

function processesIn(group: string): string {
  try {
    return readFileSync(`${group}/cgroup.procs`, "utf8");
  } catch {
    return "";
  }
}

// As a program: "capture" prints the state as JSON; "compare FILE TAG DIRECTORY" prints what the run with that tag and that directory for
// temporary files has left since then, and exits 1 when there is anything.
// The file must stay free of imports of other project files: it runs by type stripping alone.
if (import.meta.main) {
  const [verb, file = "", tag = "", directory = ""] = process.argv.slice(2);
  if (verb === "capture") {
    console.log(JSON.stringify(captureMachine()));
  } else if (verb === "compare" && directory !== "") {
    const before = JSON.parse(readFileSync(file, "utf8")) as MachineState; // written by "capture"
    // The kernel takes interfaces and processes of what has ended away a moment later.
    const deadline = performance.now() + 5_000;
    let left = leftByRun(before, tag, directory);
    while (left.length > 0 && performance.now() < deadline) {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100);
      left = leftByRun(before, tag, directory);
    }
    for (const line of left) console.log(line.slice(0, 300));
    process.exitCode = left.length === 0 ? 0 : 1;
  } else {
    console.error("usage: leftovers.ts capture | compare FILE TAG DIRECTORY");
    process.exitCode = 64;
  }
}
