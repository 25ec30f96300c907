import type { AgentLimits } from "../containers/agent-limits.js";
import type { ContainerCapability } from "../containers/capabilities.js";
import type { Controller } from "./host-cgroups.js";
import { buildSeccomp } from "./seccomp.js";

/** What the processes of a container may do. */
export interface Privileges {
  readonly capabilities: readonly ContainerCapability[];
  /** What the agent itself may use at most; a container gets no more. */
  readonly agentLimits: AgentLimits;
}

/** What a container's configuration is made from. */
export interface OciConfigOptions extends Privileges {
  readonly hostname: string;
  /** Absolute path of the root filesystem. */
  readonly rootPath: string;
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** Of the net namespace, by name with dots. */
  readonly sysctls: Readonly<Record<string, string>>;
  /** "/proc/sys/net" can be mounted anew. runc refuses that: it then stays read-only. */
  readonly writableNetSysctls: boolean;
  /** Path of the net namespace to join. */
  readonly netnsPath: string;
  readonly cgroupsPath: string;
  readonly memoryMib: number;
  readonly cpus: number;
  /** What the host can limit; limits it cannot keep are left out. */
  readonly controllers: ReadonlySet<Controller>;
  readonly annotations: Readonly<Record<string, string>>;
}

/** Processes and threads of one container. */
const maxTasks = 4096;
const cpuPeriodUs = 100_000;
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
  mount("/sys", "sysfs", ["nosuid", "noexec", "nodev", "ro"]),
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
  options: Privileges & {
    readonly command: readonly string[];
    readonly environment: Readonly<Record<string, string>>;
    readonly terminal: boolean;
  },
): object {
  const capabilities = options.capabilities.map((name) => `CAP_${name}`);
  const { openFiles, oomScoreAdjustment } = options.agentLimits;
  const environment = { PATH: defaultPath, TERM: "xterm-256color", ...options.environment };
  return {
    terminal: options.terminal,
    // Until somebody looks at it. A shell on a terminal without a size asks the terminal, and stty complains.
    ...(options.terminal ? { consoleSize: { height: 24, width: 80 } } : {}),
    user: { uid: 0, gid: 0 },
    args: options.command,
    env: Object.entries(environment).map(([key, value]) => `${key}=${value}`),
    cwd: "/",
    capabilities: { bounding: capabilities, effective: capabilities, permitted: capabilities },
    noNewPrivileges: true,
    // Not the agent's: programs that close every descriptor they may have open would take minutes.
    rlimits: [{ type: "RLIMIT_NOFILE", soft: Math.min(1024, openFiles), hard: Math.min(524_288, openFiles) }],
    // An agent that the kernel spares when memory is short does not hand that on.
    ...(oomScoreAdjustment < 0 ? { oomScoreAdj: 0 } : {}),
  };
}

/** Builds config.json of an OCI bundle. */
export function buildOciConfig(options: OciConfigOptions): object {
  const namespaces = ["pid", "ipc", "uts", "mount", "cgroup"].map((type) => ({ type }));
  return {
    ociVersion: "1.0.2",
    process: toOciProcess({ ...options, terminal: true }),
    root: { path: options.rootPath, readonly: false },
    hostname: options.hostname,
    mounts: options.writableNetSysctls ? [...mounts, netSysctls] : mounts,
    annotations: options.annotations,
    linux: {
      namespaces: [...namespaces, { type: "network", path: options.netnsPath }],
      cgroupsPath: options.cgroupsPath,
      resources: buildResources(options),
      maskedPaths,
      readonlyPaths,
      sysctl: options.sysctls,
      seccomp: buildSeccomp(options.capabilities),
    },
  };
}

/** What a container may use at most, as the runtime specification has it. */
export function buildResources({
  memoryMib,
  cpus,
  controllers,
}: Pick<OciConfigOptions, "memoryMib" | "cpus" | "controllers">): object {
  return {
    ...(controllers.has("memory") ? { memory: { limit: memoryMib * 1024 * 1024 } } : {}),
    ...(controllers.has("cpu") ? { cpu: { quota: cpus * cpuPeriodUs, period: cpuPeriodUs } } : {}),
    ...(controllers.has("pids") ? { pids: { limit: maxTasks } } : {}),
    // The runtime itself allows /dev/null, /dev/zero and the like.
    ...(controllers.has("devices") ? { devices: [{ allow: false, access: "rwm" }] } : {}),
  };
}

function mount(destination: string, type: string, options: readonly string[]): object {
  return { destination, type, source: type, options };
}
