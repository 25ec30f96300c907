import { mkdir } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { failedPrecondition } from "../../../lib/errors.js";
import { canRun } from "../../../lib/files.js";
import type { Capability } from "../../../proto/gen/zor/v1/host.js";
import { missing, present } from "../../host/capability.js";
import { run } from "../../host/exec.js";
import { detectCgroups, type HostCgroups } from "../containers/host-cgroups.js";
import { OciRuntime } from "./oci-runtime.js";
import { probeMounts } from "./writable-layer.js";
import { toldOf } from "../../host/told.js";

/** A runtime that can be used, and where its program is. */
export interface UsableRuntime {
  readonly runtime: OciRuntime;
  readonly path: string;
  /** Absolute path of conmon. */
  readonly keeperPath: string;
}

const runtimeNames = ["crun", "runc"] as const;

/**
 * Finds the runtime to use: crun, else runc, and conmon beside it.
 * @param stateDirectory directory for the runtime's own state; made when missing.
 * @throws {ZorError} FAILED_PRECONDITION when something is not installed.
 */
export async function findRuntime(stateDirectory: string): Promise<UsableRuntime> {
  const keeperPath = await findProgram("conmon");
  if (keeperPath === undefined) throw notInstalled("conmon");
  const cgroups = await detectCgroups();
  if (cgroups.version === "none") {
    throw failedPrecondition("NO_CGROUPS", "", "no control groups are mounted on the host, and containers need them");
  }
  for (const name of runtimeNames) {
    const path = await findProgram(name);
    if (path === undefined) continue;
    await mkdir(stateDirectory, { recursive: true, mode: 0o700 });
    return { runtime: new OciRuntime({ name, path, root: stateDirectory, cgroups }), path, keeperPath };
  }
  throw failedPrecondition(
    "TOOL_MISSING",
    "",
    "neither crun nor runc is installed on the host; install the package crun",
  );
}

/** Looks whether the programs are still there: others may be for what one of them has made. @throws {ZorError} FAILED_PRECONDITION */
export async function assertInstalled({ runtime, path, keeperPath }: UsableRuntime): Promise<void> {
  if (!(await canRun(path))) throw notInstalled(runtime.name);
  if (!(await canRun(keeperPath))) throw notInstalled("conmon");
}

/** What the host offers to containers. Never throws. */
export async function probeRuntime(stateDirectory: string, signal: AbortSignal): Promise<Capability[]> {
  const id = "driver.crun";
  try {
    const { runtime, path } = await findRuntime(stateDirectory);
    const { stdout } = await run(path, ["--version"], { signal, timeoutMs: 5000 });
    const [version = runtime.name] = stdout.split("\n");
    const remark = runtime.name === "crun" ? "" : "crun is not installed: runc is used instead";
    return [
      present(id, version, remark),
      toLimits(runtime.cgroups),
      ...toMoreLimits(runtime.cgroups),
      ...(await toMounts(stateDirectory)),
    ];
  } catch (error) {
    return [missing(id, toldOf(error))];
  }
}

function toLimits({ version, hybrid, controllers }: HostCgroups): Capability {
  const id = "driver.crun.limits";
  const layout = `cgroup ${version}${hybrid ? " (hybrid)" : ""}`;
  const lacking = (["memory", "cpu", "pids", "freezer"] as const).filter((name) => !controllers.has(name));
  if (lacking.length === 0) return present(id, layout);
  return missing(
    id,
    `${layout} lacks ${lacking.join(", ")}; the kernel or whoever manages control groups must enable them`,
  );
}

/** Limits that only those containers have that ask for them. */
function toMoreLimits({ swap = false, ioWeight = false, controllers }: HostCgroups): readonly Capability[] {
  const each = (what: string, works: boolean, remedy: string): Capability =>
    works ? present(`driver.crun.limits.${what}`) : missing(`driver.crun.limits.${what}`, remedy);
  return [
    each("swap", swap, "swap is not accounted; start the kernel with swapaccount=1"),
    each("cpuset", controllers.has("cpuset"), "there is no control group for CPU sets"),
    each("io", controllers.has("blkio"), "there is no control group for disks"),
    each("io-weight", ioWeight, "disks are not shared by weight; load the I/O scheduler bfq"),
  ];
}

async function toMounts(stateDirectory: string): Promise<Capability[]> {
  const { overlay, loop } = await probeMounts(stateDirectory).catch(() => ({ overlay: false, loop: false }));
  return [
    overlay
      ? present("driver.crun.overlay")
      : missing("driver.crun.overlay", "overlayfs does not work here: root filesystems are copied at each start"),
    loop
      ? present("driver.crun.disk-limits")
      : missing(
          "driver.crun.disk-limits",
          "no loop devices: containers write to memory, persistent ones are refused; load the kernel module loop and install e2fsprogs",
        ),
  ];
}

async function findProgram(name: string): Promise<string | undefined> {
  // Agents started by hand often lack the directories of system programs.
  const directories = [...(process.env["PATH"] ?? "").split(delimiter), "/usr/sbin", "/usr/bin", "/sbin"];
  for (const directory of directories.filter((candidate) => candidate.startsWith("/"))) {
    const path = join(directory, name);
    if (await canRun(path)) return path;
  }
  return undefined;
}

function notInstalled(name: string): Error {
  return failedPrecondition("TOOL_MISSING", "", `${name} is not installed on the host; install the package ${name}`);
}
