import type { Controller } from "./host-cgroups.js";

/** What a container's configuration is made from. */
export interface OciConfigOptions {
  readonly hostname: string;
  /** Absolute path of the root filesystem. */
  readonly rootPath: string;
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
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
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/**
 * Docker's set without MKNOD, and with NET_ADMIN: a lab's containers configure their own interfaces and routes, in a net
 * namespace of their own.
 */
const capabilities = [
  "CAP_AUDIT_WRITE",
  "CAP_CHOWN",
  "CAP_DAC_OVERRIDE",
  "CAP_FOWNER",
  "CAP_FSETID",
  "CAP_KILL",
  "CAP_NET_ADMIN",
  "CAP_NET_BIND_SERVICE",
  "CAP_NET_RAW",
  "CAP_SETFCAP",
  "CAP_SETGID",
  "CAP_SETPCAP",
  "CAP_SETUID",
  "CAP_SYS_CHROOT",
];

/** System calls that reach what no namespace separates. */
const refusedSystemCalls = [
  "add_key",
  "bpf",
  "delete_module",
  "finit_module",
  "init_module",
  "kexec_file_load",
  "kexec_load",
  "keyctl",
  "open_by_handle_at",
  "perf_event_open",
  "reboot",
  "request_key",
  "swapoff",
  "swapon",
  "userfaultfd",
];

const maskedPaths = [
  "/proc/acpi",
  "/proc/asound",
  "/proc/kcore",
  "/proc/keys",
  "/proc/latency_stats",
  "/proc/sched_debug",
  "/proc/scsi",
  "/proc/timer_list",
  "/proc/timer_stats",
  "/sys/devices/virtual/powercap",
  "/sys/firmware",
  "/sys/fs/selinux",
];

const readonlyPaths = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

const mounts = [
  mount("/proc", "proc", ["nosuid", "noexec", "nodev"]),
  mount("/dev", "tmpfs", ["nosuid", "strictatime", "mode=755", "size=65536k"]),
  mount("/dev/pts", "devpts", ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]),
  mount("/dev/shm", "tmpfs", ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]),
  mount("/dev/mqueue", "mqueue", ["nosuid", "noexec", "nodev"]),
  mount("/sys", "sysfs", ["nosuid", "noexec", "nodev", "ro"]),
];

/** A process inside a container, as the runtime specification (1.0.2) has it. */
export function toOciProcess(options: {
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly terminal: boolean;
}): object {
  const environment = { PATH: defaultPath, TERM: "xterm-256color", ...options.environment };
  return {
    terminal: options.terminal,
    user: { uid: 0, gid: 0 },
    args: options.command,
    env: Object.entries(environment).map(([key, value]) => `${key}=${value}`),
    cwd: "/",
    capabilities: { bounding: capabilities, effective: capabilities, permitted: capabilities },
    noNewPrivileges: true,
  };
}

/** Builds config.json of an OCI bundle. */
export function buildOciConfig(options: OciConfigOptions): object {
  const namespaces = ["pid", "ipc", "uts", "mount"].map((type) => ({ type }));
  return {
    ociVersion: "1.0.2",
    process: toOciProcess({ ...options, terminal: true }),
    root: { path: options.rootPath, readonly: false },
    hostname: options.hostname,
    mounts,
    annotations: options.annotations,
    linux: {
      namespaces: [...namespaces, { type: "network", path: options.netnsPath }],
      cgroupsPath: options.cgroupsPath,
      resources: buildResources(options),
      maskedPaths,
      readonlyPaths,
      seccomp: {
        defaultAction: "SCMP_ACT_ALLOW",
        syscalls: [{ names: refusedSystemCalls, action: "SCMP_ACT_ERRNO", errnoRet: 1 }],
      },
    },
  };
}

function buildResources({ memoryMib, cpus, controllers }: OciConfigOptions): object {
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
