import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";

/** What of the machine tests and the demo change. One line a thing, as a person would look for it. */
export interface MachineState {
  /** "process 12:3456 /usr/bin/..." (pid, start time in ticks, then command line, cgroup and working directory) */
  readonly processes: readonly string[];
  /** "namespace zt-a" */
  readonly namespaces: readonly string[];
  /** "interface ztap0", of the caller's own net namespace. */
  readonly interfaces: readonly string[];
  /** "mount /tmp/zt-x/root" */
  readonly mounts: readonly string[];
  /** "path /tmp/zt-x" */
  readonly paths: readonly string[];
}

/** Tells what is ours among the things that appeared. */
export interface Ownership {
  /** Matched against whole lines of everything but interfaces. */
  readonly text: RegExp;
  /** Matched against names of interfaces. */
  readonly interfaceName: RegExp;
}

/** Everything that any test, or any demo, makes. */
const anything: Ownership = {
  text: /(^|[\s/=:,])(zt-|zt[A-Za-z0-9]{6}\b|zor-)|\/dist\/(agent|hub|cable-engine|cli|tui|deploy)\.js/,
  interfaceName: /^z/,
};

/** Directories in whose entries leftovers show. */
const watchedDirectories = ["/tmp", "/run", "/var/lib/zor-demo", "/sys/fs/cgroup", "/sys/fs/cgroup/unified"];

/** Reads the state of the machine now. */
export function captureMachine(): MachineState {
  return {
    processes: processIds().flatMap(describeProcess),
    namespaces: entries("/run/netns").map((name) => `namespace ${name}`),
    interfaces: interfaceNames().map((name) => `interface ${name}`),
    mounts: readFileSync("/proc/self/mountinfo", "utf8")
      .trim()
      .split("\n")
      .map((line) => `mount ${line.split(" ")[4] ?? ""}`),
    paths: [...watchedDirectories, ...cgroupHierarchies()].flatMap((directory) =>
      entries(directory).map((name) => `path ${directory}/${name}`),
    ),
  };
}

/** Lines for everything of ours that is there after and was not before. */
export function leftBehind(before: MachineState, after: MachineState, ours: Ownership = anything): string[] {
  const known = new Set(Object.values(before).flat());
  const fresh = (lines: readonly string[]) => lines.filter((line) => !known.has(line));
  return [
    ...fresh(after.interfaces).filter((line) => ours.interfaceName.test(line.slice("interface ".length))),
    ...fresh([...after.processes, ...after.namespaces, ...after.mounts, ...after.paths]).filter((line) =>
      ours.text.test(line),
    ),
  ];
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
    return [`process ${pid}:${startTicks} ${command} ${cgroup} ${readlinkSync(`/proc/${pid}/cwd`)}`];
  } catch {
    return [];
  }
}

function cgroupHierarchies(): string[] {
  return entries("/sys/fs/cgroup")
    .map((name) => `/sys/fs/cgroup/${name}`)
    .filter((path) => statSync(path).isDirectory());
}

function interfaceNames(): string[] {
  const links: unknown = JSON.parse(execFileSync("ip", ["-j", "link"], { encoding: "utf8" }));
  if (!Array.isArray(links)) return [];
  return links.map((link: { ifname?: unknown }) => String(link.ifname));
}

/** Names in a directory; none when it does not exist. */
function entries(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

// As a program: "capture" prints the state as JSON; "compare FILE" prints what is left since then and exits 1 when there is anything.
// The file must stay free of imports of other project files: it runs by type stripping alone.
if (import.meta.main) {
  const [verb, file] = process.argv.slice(2);
  if (verb === "capture") {
    console.log(JSON.stringify(captureMachine()));
  } else if (verb === "compare" && file !== undefined) {
    const before = JSON.parse(readFileSync(file, "utf8")) as MachineState; // written by "capture"
    const left = leftBehind(before, captureMachine());
    for (const line of left) console.log(line.slice(0, 300));
    process.exitCode = left.length === 0 ? 0 : 1;
  } else {
    console.error("usage: leftovers.ts capture | compare FILE");
    process.exitCode = 64;
  }
}
