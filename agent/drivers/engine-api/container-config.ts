import type { ContainerEngineOptions } from "../../../proto/gen/zor/v1/container_engine.js";
import type { AgentLimits } from "../containers/agent-limits.js";
import type { ContainerCapability } from "../containers/capabilities.js";
import { nameLabel, uidLabel } from "./container-state.js";
import type { AccessGranted } from "./engine-access.js";
import type { EngineProduct } from "./engine-product.js";
import { signalName } from "./options-check.js";

/** What a container is made from. */
export interface ContainerConfigOptions {
  readonly instance: { readonly name: string; readonly id: string; readonly uid: string };
  readonly options: ContainerEngineOptions;
  /** Id of the image in the engine. */
  readonly image: string;
  readonly cpus: number;
  readonly memoryMib: number;
  readonly capabilities: readonly ContainerCapability[];
  readonly access: AccessGranted;
  /** Limits of its disk traffic, as the engine takes them. */
  readonly traffic: object;
  /** Its network, as the engine takes it. */
  readonly networkMode: string;
  /** Hard limits of the agent's own process; a container gets no more. */
  readonly agentLimits: Pick<AgentLimits, "openFiles" | "processes">;
  readonly product: Pick<EngineProduct, "kind" | "logDriver" | "raisesLimits" | "tellsNameServers">;
}

/** podman's service lowers its own limit to this (4.3), and can give no more on. What a container really may have is its limit of tasks. */
const maxProcesses = 32_768;
const defaultMaxTasks = 4096;
const bytesPerMib = 1024 * 1024;
const nanoCpus = 1_000_000_000;
const cpuPeriodUs = 100_000;

/**
 * The body of POST /containers/create. The container has a terminal, no network that the engine makes, and is restarted by nobody: the agent
 * plugs its interfaces and decides over its life. It never gets more than its image and spec say, and nothing of the host but what the
 * host's policy allows.
 */
export function buildContainerConfig(from: ContainerConfigOptions): object {
  const { options, instance } = from;
  const { environment, entrypoint, command } = options;
  const stopSignal = signalName(options.stopSignal);
  return {
    Image: from.image,
    // Docker gives one that joins another one's network the name of that.
    ...(from.networkMode.startsWith("container:") ? {} : { Hostname: options.hostname || instance.id }),
    Labels: { [uidLabel]: instance.uid, [nameLabel]: instance.name },
    Env: Object.entries({ TERM: "xterm-256color", ...environment }).map(([name, value]) => `${name}=${value}`),
    ...(entrypoint.length === 0 ? {} : { Entrypoint: entrypoint }),
    ...(command.length === 0 ? {} : { Cmd: command }),
    ...(options.workingDirectory === "" ? {} : { WorkingDir: options.workingDirectory }),
    ...(options.user === "" ? {} : { User: options.user }),
    ...(options.stopSignal === "" || stopSignal === undefined ? {} : { StopSignal: stopSignal }),
    ...healthOf(from),
    Tty: true,
    OpenStdin: true,
    StdinOnce: false,
    AttachStdin: true,
    AttachStdout: true,
    AttachStderr: true,
    HostConfig: {
      ...limitsOf(from),
      ...from.traffic,
      NetworkMode: from.networkMode,
      RestartPolicy: { Name: "no" },
      AutoRemove: false,
      ...wallsOf(from),
      Devices: from.access.devices.map(({ hostPath, path, readOnly }) => ({
        PathOnHost: hostPath,
        PathInContainer: path === "" ? hostPath : path,
        CgroupPermissions: readOnly ? "r" : "rw",
      })),
      Mounts: from.access.mounts.map(({ path, target, readOnly }) => ({
        Type: "bind",
        Source: path,
        Target: target,
        ReadOnly: readOnly,
        BindOptions: { Propagation: "rprivate", NonRecursive: true },
      })),
      ...(options.dns === undefined || !from.product.tellsNameServers
        ? {}
        : { Dns: options.dns.servers, DnsSearch: options.dns.search }),
      ExtraHosts: Object.entries(options.extraHosts).map(([name, address]) => `${name}:${address}`),
      Sysctls: options.sysctls,
      ReadonlyRootfs: options.readOnlyRoot,
      Tmpfs: tmpfsOf(options),
      Ulimits: ulimitsOf(from),
      // What a console shows again; more would let a guest fill the host's disk.
      LogConfig: { Type: from.product.logDriver, Config: { "max-size": "1m" } },
    },
  };
}

/** The walls around a container, or that there are none. */
function wallsOf({ options, capabilities }: ContainerConfigOptions): object {
  if (options.privileged) return { Privileged: true };
  return { Privileged: false, CapDrop: ["ALL"], CapAdd: capabilities, SecurityOpt: ["no-new-privileges"] };
}

function tmpfsOf({ tmpfsMib, mounts }: ContainerEngineOptions): Readonly<Record<string, string>> {
  const optionsOf = (mib: number | bigint, how: "rw" | "ro") => `${how},nosuid,nodev,mode=1777,size=${mib}m`;
  return Object.fromEntries([
    ...Object.entries(tmpfsMib).map(([path, mib]) => [path, optionsOf(mib, "rw")] as const),
    ...mounts.flatMap(({ target, source, readOnly }) =>
      source?.$case === "tmpfsMib" ? [[target, optionsOf(source.value, readOnly ? "ro" : "rw")] as const] : [],
    ),
  ]);
}

/** The agent makes the check of a spec, and Docker that of an image. podman has systemd make them, which need not be there. */
function healthOf({ options, product }: ContainerConfigOptions): object {
  const isOthers = options.healthCheck === undefined && product.kind === "docker";
  return isOthers ? {} : { Healthcheck: { Test: ["NONE"] } };
}

/** Not the engine's: programs that close every descriptor they may have open would take minutes. */
function ulimitsOf({ agentLimits, product }: ContainerConfigOptions): readonly object[] {
  const { openFiles, processes } = agentLimits;
  const files = { Name: "nofile", Soft: Math.min(1024, openFiles), Hard: Math.min(524_288, openFiles) };
  const most = Math.min(maxProcesses, processes);
  return product.raisesLimits ? [files, { Name: "nproc", Soft: most, Hard: most }] : [files];
}

/** The part of a container's configuration that says what it may use; also that of POST /containers/{id}/update. */
export function limitsOf(from: Pick<ContainerConfigOptions, "options" | "cpus" | "memoryMib">): object {
  const { options, cpus, memoryMib } = from;
  const memory = memoryMib * bytesPerMib;
  return {
    Memory: memory,
    MemorySwap: memory + swapOf(options),
    NanoCpus: cpus * nanoCpus,
    PidsLimit: options.maxTasks ?? defaultMaxTasks,
    ...(options.cpuSet === "" ? {} : { CpusetCpus: options.cpuSet }),
  };
}

/** The same for podman's own API, whose part of Docker's has no updates (4.3): as the runtime specification has it. */
export function libpodLimitsOf({ options, cpus, memoryMib }: Parameters<typeof limitsOf>[0]): object {
  const limit = memoryMib * bytesPerMib;
  return {
    memory: { limit, swap: limit + swapOf(options) },
    cpu: { quota: cpus * cpuPeriodUs, period: cpuPeriodUs, ...(options.cpuSet === "" ? {} : { cpus: options.cpuSet }) },
    pids: { limit: options.maxTasks ?? defaultMaxTasks },
  };
}

/** In bytes; without being asked for there is none. */
function swapOf({ swapMib }: ContainerEngineOptions): number {
  return Number(swapMib ?? 0n) * bytesPerMib;
}
