import type { AgentLimits } from "../containers/agent-limits.js";
import type { ContainerCapability } from "../containers/capabilities.js";
import type { GrantedDevice } from "../containers/host-access.js";
import { buildSeccomp } from "./seccomp.js";
import type { IdRange } from "./user-ranges.js";
import type { ContainerUser } from "./user.js";

/** What the processes of a container may do. */
export interface Privileges {
  readonly capabilities: readonly ContainerCapability[];
  /** Those of them that were asked for: all that others than root have. */
  readonly added: readonly ContainerCapability[];
  /** What the agent itself may use at most; a container gets no more. */
  readonly agentLimits: AgentLimits;
  /** What may be open at once in each process; undefined: as much as is usual. */
  readonly openFiles: number | undefined;
  /** "none": privileged. "init": system calls of an init that mounts and makes namespaces are let through. */
  readonly walls: "all" | "init" | "none";
}

/** A mount as the runtime makes it, after its own. */
export interface OciMount {
  readonly destination: string;
  readonly type: string;
  readonly source: string;
  readonly options: readonly string[];
}

/** What a container's configuration is made from. */
export interface OciConfigOptions extends Privileges, OciIdentity {
  readonly hostname: string;
  /** Absolute path of the root filesystem. */
  readonly rootPath: string;
  readonly readOnlyRoot: boolean;
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** Of the container's namespaces, by name with dots. */
  readonly sysctls: Readonly<Record<string, string>>;
  /** "/proc/sys/net" can be mounted anew. runc refuses that: it then stays read-only. */
  readonly writableNetSysctls: boolean;
  /** What stays read-only there all the same: see {@link sharedSysctlPaths}. */
  readonly sharedSysctlPaths: readonly string[];
  /** Path of the net namespace to join. */
  readonly netnsPath: string;
  readonly cgroupsPath: string;
  readonly resources: Readonly<Record<string, object>>;
  /** The host can say which devices are used. */
  readonly filtersDevices: boolean;
  readonly mounts: readonly OciMount[];
  readonly devices: readonly GrantedDevice[];
  /** Ids outside of those inside; undefined: the same. */
  readonly range: IdRange | undefined;
  readonly annotations: Readonly<Record<string, string>>;
}

/** Whose a process is, and where it begins. */
export interface OciIdentity {
  readonly user: Pick<ContainerUser, "uid" | "gid" | "moreGids">;
  readonly workingDirectory: string;
}

/** Where programs are looked for in a container without a PATH. */
export const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** Files and directories that tell of the host, or steer it without asking for a capability, and that no namespace separates. */
const maskedPaths = [
  "/proc/acpi",
  "/proc/asound",
  "/proc/dynamic_debug",
  "/proc/interrupts",
  "/proc/kallsyms",
  "/proc/kcore",
  "/proc/key-users",
  "/proc/keys",
  "/proc/kpagecgroup",
  "/proc/kpagecount",
  "/proc/kpageflags",
  "/proc/latency_stats",
  "/proc/pagetypeinfo",
  "/proc/sched_debug",
  "/proc/scsi",
  "/proc/slabinfo",
  "/proc/timer_list",
  "/proc/timer_stats",
  "/proc/vmallocinfo",
  "/sys/devices/virtual/powercap",
  "/sys/firmware",
  "/sys/fs/selinux",
];

const readonlyPaths = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/mtrr", "/proc/sys", "/proc/sysrq-trigger"];

const mounts = [
  mount("/proc", "proc", ["nosuid", "noexec", "nodev"]),
  mount("/dev", "tmpfs", ["nosuid", "strictatime", "mode=755", "size=65536k"]),
  mount("/dev/pts", "devpts", ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]),
  mount("/dev/shm", "tmpfs", ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]),
  mount("/dev/mqueue", "mqueue", ["nosuid", "noexec", "nodev"]),
];
const sysMount = (access: "ro" | "rw") => mount("/sys", "sysfs", ["nosuid", "noexec", "nodev", access]);
/** What an init such as systemd wants besides. */
const initMounts = [
  mount("/sys/fs/cgroup", "cgroup", ["nosuid", "noexec", "nodev", "rw"]),
  mount("/run", "tmpfs", ["nosuid", "nodev", "mode=755"]),
  mount("/run/lock", "tmpfs", ["nosuid", "nodev", "noexec", "mode=1777", "size=5120k"]),
];

/**
 * Keeps the sysctls of the net namespace writable: a mount of its own does not become read-only with the directory around it.
 * The kernel shows those of the namespace that the reader is in.
 */
const netSysctls = {
  destination: "/proc/sys/net",
  type: "bind",
  source: "/proc/sys/net",
  options: ["bind", "rw", "nosuid", "noexec", "nodev"],
};

/** A process inside a container, as the runtime specification (1.0.2) has it. */
export function toOciProcess(
  options: Privileges &
    OciIdentity & {
      readonly command: readonly string[];
      readonly environment: Readonly<Record<string, string>>;
      readonly terminal: boolean;
    },
): object {
  const { uid, gid, moreGids } = options.user;
  const { openFiles, oomScoreAdjustment } = options.agentLimits;
  const files = options.openFiles ?? Math.min(524_288, openFiles);
  const environment = { PATH: defaultPath, TERM: "xterm-256color", ...options.environment };
  return {
    terminal: options.terminal,
    // Until somebody looks at it. A shell on a terminal without a size asks the terminal, and stty complains.
    ...(options.terminal ? { consoleSize: { height: 24, width: 80 } } : {}),
    user: { uid, gid, ...(moreGids.length === 0 ? {} : { additionalGids: moreGids }) },
    args: options.command,
    env: Object.entries(environment).map(([key, value]) => `${key}=${value}`),
    cwd: options.workingDirectory,
    capabilities: toOciCapabilities(options),
    noNewPrivileges: options.walls === "all",
    // Not the agent's: programs that close every descriptor they may have open would take minutes.
    rlimits: [{ type: "RLIMIT_NOFILE", soft: options.openFiles ?? Math.min(1024, openFiles), hard: files }],
    // An agent that the kernel spares when memory is short does not hand that on.
    ...(oomScoreAdjustment < 0 ? { oomScoreAdj: 0 } : {}),
  };
}

/** Others than root lose theirs when they run a program, but for ambient ones (capabilities(7)). */
function toOciCapabilities({ capabilities, added, user }: Privileges & OciIdentity): object {
  const bounding = capabilities.map(toWord);
  if (user.uid === 0) return { bounding, effective: bounding, permitted: bounding };
  const own = added.map(toWord);
  return { bounding, effective: own, permitted: own, inheritable: own, ambient: own };
}

function toWord(name: ContainerCapability): string {
  return `CAP_${name}`;
}

/** Builds config.json of an OCI bundle. */
export function buildOciConfig(options: OciConfigOptions): object {
  const { range, walls, readOnlyRoot } = options;
  const namespaces = ["pid", "ipc", "uts", "mount", "cgroup", ...(range === undefined ? [] : ["user"])];
  const mapping = range === undefined ? [] : [{ containerID: 0, hostID: range.first, size: range.count }];
  return {
    ociVersion: "1.0.2",
    process: toOciProcess({ ...options, terminal: true }),
    root: { path: options.rootPath, readonly: readOnlyRoot },
    hostname: options.hostname,
    mounts: mountsOf(options),
    annotations: options.annotations,
    linux: {
      namespaces: [...namespaces.map((type) => ({ type })), { type: "network", path: options.netnsPath }],
      ...(range === undefined ? {} : { uidMappings: mapping, gidMappings: mapping }),
      cgroupsPath: options.cgroupsPath,
      resources: { ...options.resources, ...devicesOf(options) },
      ...(options.devices.length === 0 ? {} : { devices: options.devices.map(toOciDevice) }),
      ...(walls === "none" ? {} : wallsOf(options, walls)),
      sysctl: options.sysctls,
    },
  };
}

function wallsOf({ capabilities, sharedSysctlPaths }: OciConfigOptions, walls: "all" | "init"): object {
  const seccomp = buildSeccomp(capabilities, walls);
  return { maskedPaths, readonlyPaths: [...readonlyPaths, ...sharedSysctlPaths], seccomp };
}

function mountsOf(options: OciConfigOptions): readonly OciMount[] {
  const { walls, range } = options;
  return [
    ...mounts,
    sysMount(walls === "none" ? "rw" : "ro"),
    ...(walls === "init" ? initMounts : []),
    // Of a net namespace that is another user namespace's, nothing can be set.
    ...(options.writableNetSysctls && walls !== "none" && range === undefined ? [netSysctls] : []),
    ...options.mounts,
  ];
}

/** The runtime itself allows /dev/null, /dev/zero and the like. */
function devicesOf({ walls, filtersDevices, devices, range }: OciConfigOptions): object {
  // In a user namespace no device file can be made, and the file system allows none.
  if (!filtersDevices || range !== undefined) return {};
  if (walls === "none") return { devices: [{ allow: true, access: "rwm" }] };
  const own = devices.map(({ type, major, minor, access }) => ({ allow: true, type, major, minor, access }));
  return { devices: [{ allow: false, access: "rwm" }, ...own] };
}

function toOciDevice({ path, type, major, minor, access }: GrantedDevice): object {
  return { path, type, major, minor, fileMode: access === "rw" ? 0o666 : 0o444, uid: 0, gid: 0 };
}

function mount(destination: string, type: string, options: readonly string[]): OciMount {
  return { destination, type, source: type, options };
}
