import { rm, writeFile } from "node:fs/promises";
import { totalmem } from "node:os";
import { join } from "node:path";
import { uninterrupted } from "../../../lib/uninterrupted.js";
import { failedPrecondition, invalidFields, messageOf } from "../../../lib/errors.js";
import {
  endProcess,
  findIdentity,
  isAlive,
  type ProcessIdentity,
  signalProcess,
  startTimeOf,
  waitForExit,
} from "../../../lib/process.js";
import type { Capability } from "../../../proto/gen/zor/v1/host.js";
import type { CrunOptions } from "../../../proto/gen/zor/v1/crun.js";
import type { InstanceSpec } from "../../../proto/gen/zor/v1/instance.js";
import { DiskQuota } from "../disk-quota.js";
import type {
  CallOptions,
  ConsoleStream,
  DriverEvent,
  DriverInstance,
  ExecCommand,
  ExecOutput,
  Executable,
  HasConsole,
  InstanceDriver,
  Observation,
  Pausable,
  Progress,
  RecoveryHandle,
  Resettable,
  Shutdownable,
} from "../driver.js";
import type { InstanceNetwork } from "../../network/instance-networks.js";
import { type AgentLimits, readAgentLimits } from "../containers/agent-limits.js";
import type { ContainerCapability } from "../containers/capabilities.js";
import { CrunChanges } from "./changes.js";
import { containerSettling, copyAbilities } from "./container-copies.js";
import { openContainerConsole } from "./console.js";
import { ContainerWatch } from "./container-watch.js";
import { describeEnd, toContainerEnd } from "./end-reason.js";
import { askToEnd } from "../containers/end-signals.js";
import { execInContainer } from "./exec-session.js";
import { Keeper } from "./keeper.js";
import { removeControlGroups, removeExecSessions } from "./leftovers.js";
import { readMemoryEvents } from "./memory-events.js";
import { buildOciConfig, buildResources, type Privileges } from "./oci-config.js";
import { checkOptions, sizeOf } from "./options-check.js";
import { grantCapabilities } from "../containers/privileges.js";
import { firstProgramOf, openRootfsImage, Rootfs } from "./rootfs.js";
import { findRuntime, probeRuntime, type UsableRuntime } from "./runtime-probe.js";
import { containerId, optionsOf } from "./subject.js";
import { type MountSupport, probeMounts } from "./writable-layer.js";

/** What the driver needs of the agent. */
export interface CrunDriverOptions {
  /** Directories that images may be in, in order. */
  readonly imageDirectories: readonly string[];
  /** Where drivers keep what belongs to no instance; here the runtime's own state. */
  readonly stateDirectory: string;
  /** Capabilities beyond the default ones that containers may ask for. */
  readonly containerCapabilities: readonly ContainerCapability[];
  /** What instances may have of the host's disk; default: one of this driver alone. */
  readonly quota?: DiskQuota;
}

const exitWaitMs = 10_000;
const exitCodeWaitMs = 2000;

/** Containers by crun, or runc where crun is missing; each with a conmon that holds its terminal. */
export class CrunDriver implements InstanceDriver, Pausable, Resettable, Shutdownable, HasConsole, Executable {
  readonly kind = "crun";
  readonly options = { case: "crun" } as const;
  readonly network = "join";
  readonly can = {
    ...{ pause: this, reset: this, shutdown: this, console: this, exec: this, change: new CrunChanges(this) },
    ...copyAbilities(this),
  };
  readonly settling = containerSettling(this);
  readonly #imageDirectories: readonly string[];
  readonly #runtimeDirectory: string;
  readonly #allowed: readonly ContainerCapability[];
  readonly #watch = new ContainerWatch();
  readonly #startMs = Date.now();
  #usable: UsableRuntime | undefined;
  #limits: AgentLimits | undefined;
  readonly quota: DiskQuota;
  #mounts: MountSupport | undefined;

  constructor(options: CrunDriverOptions) {
    this.#imageDirectories = options.imageDirectories;
    this.#runtimeDirectory = join(options.stateDirectory, "crun");
    this.#allowed = options.containerCapabilities;
    this.quota = options.quota ?? new DiskQuota({ directory: options.stateDirectory });
  }

  async fingerprint({ signal }: CallOptions): Promise<readonly Capability[]> {
    return probeRuntime(this.#runtimeDirectory, signal);
  }

  async validate(spec: InstanceSpec): Promise<void> {
    const options = optionsOf(spec);
    const violations = checkOptions(options);
    if (violations.length > 0) throw invalidFields(violations);
    await this.#privileges(options);
    await (await openRootfsImage(this.#imageDirectories, options))[Symbol.asyncDispose]();
  }

  async create(instance: DriverInstance, options: CallOptions & { readonly progress: Progress }): Promise<void> {
    const spec = optionsOf(instance.spec);
    await using image = await openRootfsImage(this.#imageDirectories, spec);
    await (await this.#rootfs(instance)).create(image, firstProgramOf(spec), options);
  }

  async start(instance: DriverInstance, network: InstanceNetwork, options: CallOptions): Promise<RecoveryHandle> {
    const handle = await this.#launch(instance, network, options);
    this.#watch.emit(instance.uid, "started");
    return handle;
  }

  async recover(instance: DriverInstance, handle: RecoveryHandle | undefined): Promise<RecoveryHandle | undefined> {
    const { runtime } = await this.runtime();
    const id = containerId(instance);
    await removeExecSessions(instance.directory, id, this.#startMs);
    const state = await runtime.findState(id);
    if (state?.status === "created" || state?.status === "creating") {
      // The agent ended between creating and starting it: it was never acknowledged.
      await this.#abandon(instance);
      return undefined;
    }
    const identity = state === undefined || state.pid === 0 ? undefined : await findIdentity(state.pid);
    const found = identity ?? (handle !== undefined && (await isAlive(handle)) ? handle : undefined);
    if (found === undefined) return undefined;
    this.#watch.add(instance.uid, found);
    return { pid: found.pid, startTicks: found.startTicks, extra: { container: id, runtime: runtime.name } };
  }

  async stop(instance: DriverInstance, handle: RecoveryHandle): Promise<void> {
    await this.#end(instance, handle);
    this.#watch.remove(instance.uid, "stopped");
  }

  async destroy(instance: DriverInstance): Promise<void> {
    const { runtime } = await this.runtime();
    await runtime.delete(containerId(instance));
    await removeControlGroups(runtime.cgroups, containerId(instance));
    await keeperOf(instance).remove();
    await (await this.#rootfs(instance)).remove();
    await rm(join(instance.directory, "snapshots"), { recursive: true, force: true });
    await rm(join(instance.directory, "config.json"), { force: true });
  }

  async inspect(
    instance: DriverInstance,
    handle: RecoveryHandle | undefined,
    options: CallOptions,
  ): Promise<Observation> {
    if (handle === undefined || !(await isAlive(handle))) return this.#inspectEnded(instance, handle);
    const common = { pid: handle.pid, startTime: await startTimeOf(handle), accelerator: "" };
    try {
      const { runtime } = await this.runtime();
      const state = await runtime.findState(containerId(instance), options.signal);
      if (state?.status === "running" || state?.status === "paused") {
        return { ...common, state: state.status, reason: "", execReady: state.status === "running" };
      }
      const reason = state === undefined ? "the runtime does not know it" : `the runtime says it is ${state.status}`;
      return { ...common, state: "unknown", reason, execReady: false };
    } catch (error) {
      options.signal.throwIfAborted();
      return {
        ...common,
        state: "unknown",
        reason: `the runtime does not answer: ${messageOf(error)}`,
        execReady: false,
      };
    }
  }

  events(signal: AbortSignal): AsyncIterable<DriverEvent> {
    return this.#watch.events(signal);
  }

  /** Containers are looked at, and held by their own conmon: there is nothing to let go of. */
  async detach(): Promise<void> {}

  /** Has it keep to the limits of its spec as that is now. @throws {ZorError} FAILED_PRECONDITION when it uses more already; then nothing has changed. */
  async updateLimits(instance: DriverInstance, { signal }: CallOptions): Promise<void> {
    const { runtime } = await this.runtime();
    const resources = buildResources({ ...sizeOf(instance.spec), controllers: runtime.cgroups.controllers });
    const [file, resource] = [join(instance.directory, "resources.json"), instance.name];
    await writeFile(file, JSON.stringify(resources), { mode: 0o600 });
    try {
      await runtime.update(containerId(instance), file, signal);
    } catch (error) {
      signal.throwIfAborted();
      throw failedPrecondition("LIMIT_REFUSED", resource, `${resource} cannot be limited so now: ${messageOf(error)}`);
    } finally {
      await rm(file, { force: true });
    }
  }

  async pause(instance: DriverInstance, _handle: RecoveryHandle, options: CallOptions): Promise<void> {
    const { runtime } = await this.runtime();
    if (!runtime.cgroups.controllers.has("freezer")) {
      throw failedPrecondition(
        "NO_FREEZER",
        instance.name,
        `${instance.name} cannot be paused: the host has no freezer control group`,
      );
    }
    await runtime.pause(containerId(instance), options.signal);
    this.#watch.emit(instance.uid, "paused");
  }

  async resume(instance: DriverInstance, _handle: RecoveryHandle, options: CallOptions): Promise<void> {
    await (await this.runtime()).runtime.resume(containerId(instance), options.signal);
    this.#watch.emit(instance.uid, "resumed");
  }

  async reset(
    instance: DriverInstance,
    handle: RecoveryHandle,
    network: InstanceNetwork,
    options: CallOptions,
  ): Promise<RecoveryHandle> {
    this.#watch.forget(instance.uid);
    await this.#end(instance, handle);
    const next = await this.#launch(instance, network, options);
    this.#watch.emit(instance.uid, "reset");
    return next;
  }

  async requestShutdown(
    instance: DriverInstance,
    handle: RecoveryHandle,
    { attempt }: { readonly attempt: number },
  ): Promise<void> {
    await keeperOf(instance).noteEndRequested();
    await askToEnd(handle, attempt);
  }

  async giveUpShutdown(instance: DriverInstance): Promise<void> {
    await keeperOf(instance).forgetEndRequested();
  }

  async openConsole(
    instance: DriverInstance,
    handle: RecoveryHandle,
    options: CallOptions & { readonly replayBytes: number },
  ): Promise<ConsoleStream> {
    const isRunning = () => isAlive(handle);
    return openContainerConsole({
      resource: instance.name,
      directory: instance.directory,
      keeper: keeperOf(instance),
      isRunning,
      ...options,
    });
  }

  async *exec(
    instance: DriverInstance,
    _handle: RecoveryHandle,
    command: ExecCommand,
    options: CallOptions & { readonly resizes?: AsyncIterable<{ columns: number; rows: number }> },
  ): AsyncGenerator<ExecOutput> {
    const { runtime } = await this.runtime();
    const id = containerId(instance);
    const state = await runtime.findState(id, options.signal);
    if (state?.status !== "running") {
      const what = state?.status ?? "gone";
      throw failedPrecondition(
        "NOT_RUNNING",
        instance.name,
        `${instance.name} is ${what}; commands run only in running containers`,
      );
    }
    const { directory } = instance;
    const { signal, resizes } = options;
    const privileges = await this.#privileges(optionsOf(instance.spec));
    yield* execInContainer({ runtime, containerId: id, directory, command, privileges, resizes, signal });
  }

  async #launch(instance: DriverInstance, network: InstanceNetwork, options: CallOptions): Promise<RecoveryHandle> {
    const { runtime, path } = await this.runtime();
    const id = containerId(instance);
    const spec = optionsOf(instance.spec);
    if (((await runtime.findState(id))?.pid ?? 0) !== 0) {
      throw failedPrecondition("ALREADY_RUNNING", instance.name, `${instance.name} runs already; stop it first`);
    }
    await using undo = new AsyncDisposableStack();
    undo.defer(() => this.#abandon(instance));
    // What a container that ended while nobody looked has left.
    await runtime.delete(id);
    // The policy may have changed since it was created.
    const privileges = await this.#privileges(spec);
    const program = firstProgramOf(spec);
    await using image = await openRootfsImage(this.#imageDirectories, spec);
    const { persistent } = spec;
    const root = await (await this.#rootfs(instance)).prepare(image, { persistent, program, signal: options.signal });
    const config = buildOciConfig({
      hostname: instance.id,
      rootPath: join(instance.directory, "rootfs"),
      command: program.command,
      environment: spec.environment,
      ...privileges,
      sysctls: spec.sysctls,
      writableNetSysctls: runtime.name === "crun",
      netnsPath: `/run/netns/${network.netns}`,
      cgroupsPath: `/${id}`,
      ...sizeOf(instance.spec),
      controllers: runtime.cgroups.controllers,
      annotations: { "zor.instance": instance.uid },
    });
    await writeFile(join(instance.directory, "config.json"), JSON.stringify(config), { mode: 0o600 });
    const identity = await keeperOf(instance).create({ runtime, runtimePath: path, root, signal: options.signal });
    await runtime.start(id, options.signal);
    undo.move();
    this.#watch.add(instance.uid, identity);
    return { ...identity, extra: { container: id, runtime: runtime.name } };
  }

  /** Ends a container and removes what the runtime keeps of it. */
  async #end(instance: DriverInstance, handle: RecoveryHandle): Promise<void> {
    const { runtime } = await this.runtime();
    const id = containerId(instance);
    const keeper = keeperOf(instance);
    if (await isAlive(handle)) {
      await keeper.noteEndRequested();
      await signalProcess(handle, "SIGKILL");
      // A frozen process takes no signal, not even this one.
      const state = await runtime.findState(id).catch(() => undefined);
      if (state?.status === "paused") await runtime.resume(id, uninterrupted);
      if (!(await waitForExit(handle, exitWaitMs))) {
        throw failedPrecondition(
          "STILL_RUNNING",
          instance.name,
          `${instance.name} does not end; its first process hangs in the kernel`,
        );
      }
    }
    await keeper.finished(exitCodeWaitMs);
    await runtime.delete(id);
  }

  /** The state of a container that does not run, with why when its end was not asked for. */
  async #inspectEnded(instance: DriverInstance, handle: RecoveryHandle | undefined): Promise<Observation> {
    const ended = { pid: 0, startTime: undefined, accelerator: "", execReady: false };
    if (handle === undefined) return { ...ended, state: "stopped", reason: "" };
    const keeper = keeperOf(instance);
    if (await keeper.isEndRequested()) return { ...ended, state: "stopped", reason: "" };
    const code = await keeper.waitForExitCode(exitCodeWaitMs);
    const { cgroups } = (await this.runtime()).runtime;
    const memory = await readMemoryEvents(cgroups, containerId(instance)).catch(() => undefined);
    const limitMib = sizeOf(instance.spec).memoryMib;
    const end = toContainerEnd(code, memory, { limitMib, totalMib: Math.floor(totalmem() / 2 ** 20) });
    return { ...ended, state: code === 0 ? "stopped" : "failed", reason: describeEnd(code, memory, limitMib), end };
  }

  /** Removes what a failed start has left running. */
  async #abandon(instance: DriverInstance): Promise<void> {
    const { runtime } = await this.runtime();
    const id = containerId(instance);
    const state = await runtime.findState(id);
    const identity: ProcessIdentity | undefined = state?.pid ? await findIdentity(state.pid) : undefined;
    if (identity !== undefined) await endProcess(identity, 0);
    await keeperOf(instance).finished(exitCodeWaitMs);
    await runtime.delete(id);
  }

  async #rootfs(instance: DriverInstance): Promise<Rootfs> {
    await this.runtime();
    this.#mounts ??= await probeMounts(this.#runtimeDirectory);
    return new Rootfs(instance, { mounts: this.#mounts, quota: this.quota });
  }

  /** What the processes of a container may do. @throws {ZorError} FAILED_PRECONDITION when the host's policy does not allow it. */
  async #privileges(spec: CrunOptions): Promise<Privileges> {
    this.#limits ??= await readAgentLimits();
    const agentLimits = this.#limits;
    return {
      capabilities: grantCapabilities(spec.capabilities, { allowed: this.#allowed, agentLimits }),
      agentLimits,
    };
  }

  /** The runtime, found once. @throws {ZorError} when there is none. */
  async runtime(): Promise<UsableRuntime> {
    this.#usable ??= await findRuntime(this.#runtimeDirectory);
    return this.#usable;
  }
}

function keeperOf(instance: DriverInstance): Keeper {
  return new Keeper(instance.directory, containerId(instance));
}
