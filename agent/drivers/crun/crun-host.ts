import { join } from "node:path";
import { failedPrecondition } from "../../../lib/errors.js";
import type { CrunOptions } from "../../../proto/gen/zor/v1/crun.js";
import { type AgentLimits, readAgentLimits } from "../containers/agent-limits.js";
import { type ContainerCapability, findCapability } from "../containers/capabilities.js";
import { type ContainerPolicy, checkPolicy, nothingAllowed } from "../containers/container-policy.js";
import { grantCapabilities } from "../containers/privileges.js";
import { DiskQuota } from "../disk-quota.js";
import type { DriverInstance } from "../driver.js";
import { Keeper } from "./keeper.js";
import { LayerStore } from "./layer-store.js";
import type { Privileges } from "./oci-config.js";
import { Rootfs } from "./rootfs.js";
import { assertInstalled, findRuntime, type UsableRuntime } from "./runtime-probe.js";
import { containerId } from "./subject.js";
import { UserRanges } from "./user-ranges.js";
import { type MountSupport, probeMounts } from "./writable-layer.js";

/** What the driver needs of the agent. */
export interface CrunDriverOptions {
  /** Directories that images may be in, in order. */
  readonly imageDirectories: readonly string[];
  /** Where drivers keep what belongs to no instance; here the runtime's own state. */
  readonly stateDirectory: string;
  /** Capabilities beyond the default ones that containers may ask for. */
  readonly containerCapabilities: readonly ContainerCapability[];
  /** What containers may have of the host; default: nothing. */
  readonly containers?: ContainerPolicy;
  /** What instances may have of the host's disk; default: one of this driver alone. */
  readonly quota?: DiskQuota;
}

/** What this host has and allows for all containers of the driver. */
export class CrunHost {
  readonly imageDirectories: readonly string[];
  readonly runtimeDirectory: string;
  readonly policy: ContainerPolicy;
  readonly ranges: UserRanges;
  readonly quota: DiskQuota;
  readonly #layers: LayerStore;
  readonly #allowed: readonly ContainerCapability[];
  #usable: UsableRuntime | undefined;
  #limits: AgentLimits | undefined;
  #mounts: MountSupport | undefined;

  constructor(options: CrunDriverOptions) {
    this.imageDirectories = options.imageDirectories;
    this.runtimeDirectory = join(options.stateDirectory, "crun");
    this.policy = options.containers ?? nothingAllowed;
    this.ranges = new UserRanges(join(options.stateDirectory, "crun-users"));
    this.#allowed = options.containerCapabilities;
    this.quota = options.quota ?? new DiskQuota({ directory: options.stateDirectory });
    this.#layers = new LayerStore(join(options.stateDirectory, "crun-layers"));
  }

  /** The runtime, looked for once. @throws {ZorError} FAILED_PRECONDITION when something is not, or no more, installed. */
  async runtime(): Promise<UsableRuntime> {
    if (this.#usable === undefined) this.#usable = await findRuntime(this.runtimeDirectory);
    else await assertInstalled(this.#usable);
    return this.#usable;
  }

  /** The root filesystem of a container. */
  async rootfs(instance: DriverInstance): Promise<Rootfs> {
    await this.runtime();
    this.#mounts ??= await probeMounts(this.runtimeDirectory);
    return new Rootfs(instance, { mounts: this.#mounts, quota: this.quota, layers: this.#layers });
  }

  /** What the processes of a container may do. @throws {ZorError} FAILED_PRECONDITION when the host's policy does not allow it. */
  async privileges(spec: CrunOptions): Promise<Privileges> {
    this.#limits ??= await readAgentLimits();
    const agentLimits = this.#limits;
    checkPolicy(spec, this.policy, { below: true });
    const openFiles = spec.limits?.openFiles === undefined ? undefined : Number(spec.limits.openFiles);
    if (openFiles !== undefined && openFiles > agentLimits.openFiles) {
      throw failedPrecondition(
        "LIMIT_UNSUPPORTED",
        "",
        `limits.open_files: the agent itself may have only ${agentLimits.openFiles} files open on this host, and containers no more`,
      );
    }
    const common = { agentLimits, openFiles };
    const added = (spec.capabilities?.add ?? []).map(findCapability).filter((name) => name !== undefined);
    if (spec.privileged) return { ...common, capabilities: agentLimits.capabilities, added, walls: "none" };
    const asInit = spec.init === "systemd";
    if (asInit && !spec.userNamespace && !this.policy.privileged) throw noInit();
    // In a user namespace of its own it is a right over that alone.
    const more: readonly ContainerCapability[] = asInit || spec.userNamespace ? ["SYS_ADMIN"] : [];
    const { add = [], drop = [] } = spec.capabilities ?? {};
    const wanted = asInit ? { add: [...add, "SYS_ADMIN"], drop } : spec.capabilities;
    const capabilities = grantCapabilities(wanted, { allowed: [...this.#allowed, ...more], agentLimits });
    return { ...common, capabilities, added, walls: asInit ? "init" : "all" };
  }
}

function noInit(): Error {
  return failedPrecondition(
    "POLICY",
    "",
    "this host's policy does not allow systemd as init outside of a user namespace, since it mounts and makes namespaces; set user_namespace, or its agent's privilegedContainers setting changes that",
  );
}

/** Who holds a container's terminal. */
export function keeperOf(instance: DriverInstance): Keeper {
  return new Keeper(instance.directory, containerId(instance));
}
