import { rm } from "node:fs/promises";
import { totalmem } from "node:os";
import { join } from "node:path";
import { failedPrecondition, invalidFields } from "../../../lib/errors.js";
import {
  findIdentity,
  isAlive,
  type ProcessIdentity,
  signalProcess,
  startTimeOf,
  waitForExit,
} from "../../../lib/process.js";
import { uninterrupted } from "../../../lib/uninterrupted.js";
import type { Capability } from "../../../proto/gen/zor/v1/host.js";
import type { InstanceSpec } from "../../../proto/gen/zor/v1/instance.js";
import type { InstanceNetwork } from "../../network/instance-networks.js";
import { askToEnd } from "../containers/end-signals.js";
import type { DiskQuota } from "../disk-quota.js";
import type {
  CallOptions,
  ConsoleStream,
  DriverEvent,
  DriverInstance,
  ExecOutput,
  Executable,
  ConsoleRequest,
  HasConsole,
  InstanceDriver,
  Observation,
  Pausable,
  Progress,
  RecoveryHandle,
  Resettable,
  Shutdownable,
} from "../driver.js";
import { applyLimits } from "./apply-limits.js";
import { checkTmpfs } from "./bundle.js";
import { CrunChanges } from "./changes.js";
import { containerCopies, containerSettling, containerSnapshots } from "./container-copies.js";
import { containerBackups, containerSaves, removeHalfSaved } from "./container-saves.js";
import { containerFiles } from "./container-files.js";
import { openContainerConsole } from "./console.js";
import { containerLogs } from "./container-logs.js";
import { containerMeter } from "./container-meter.js";
import { ContainerWatch } from "./container-watch.js";
import { type CrunDriverOptions, CrunHost, keeperOf } from "./crun-host.js";
import { describeEnd, toContainerEnd } from "./end-reason.js";
import { ContainerCommands } from "./commands.js";
import { toHealthPlan } from "../containers/health-check.js";
import { HealthMonitor } from "../containers/health-monitor.js";
import { grantDevices, grantMounts } from "../containers/host-access.js";
import { abandonContainer, createContainer, launchContainer } from "./launch.js";
import { removeControlGroups, removeExecSessions } from "./leftovers.js";
import { buildResources, sizeOf } from "./limits.js";
import { readMemoryEvents } from "./memory-events.js";
import { checkOptions } from "./options-check.js";
import { openRootfsImage } from "./rootfs.js";
import { probeRuntime, type UsableRuntime } from "./runtime-probe.js";
import { containerId, optionsOf } from "./subject.js";
import { toldOf } from "../../host/told.js";

const plainCommand = { environment: {}, tty: false, columns: 0, rows: 0, stdin: undefined } as const;
const exitWaitMs = 10_000;
const exitCodeWaitMs = 2000;

/** Containers by crun, or runc where crun is missing; each with a conmon that holds its terminal. */
export class CrunDriver implements InstanceDriver, Pausable, Resettable, Shutdownable, HasConsole, Executable {
  readonly kind = "crun";
  readonly options = { case: "crun" } as const;
  readonly network = "join";
  readonly sharing = { field: "crun.network_of", networkOf: (spec: InstanceSpec) => optionsOf(spec).networkOf };
  readonly #commands = new ContainerCommands({
    containerId,
    runtime: () => this.host.runtime(),
    privileges: ({ spec }) => this.host.privileges(optionsOf(spec)),
  });
  readonly can = {
    ...this.#commands.abilities,
    ...{ pause: this, reset: this, shutdown: this, console: this, exec: this, change: new CrunChanges(this) },
    ...{ snapshot: containerSnapshots(this), copy: containerCopies(this) },
    ...{ save: containerSaves(this), backup: containerBackups(this) },
    logs: containerLogs,
    files: containerFiles(() => this.host),
  };
  readonly settling = containerSettling(this);
  readonly measured = containerMeter(async () => (await this.host.runtime()).runtime.cgroups);
  readonly host: CrunHost;
  readonly saving = new Set<string>();
  readonly #watch = new ContainerWatch();
  readonly #startMs = Date.now();
  readonly #health = new HealthMonitor({
    exec: (instance, command, signal) => this.#commands.run(instance, { ...plainCommand, command }, { signal }),
    onChange: (uid) => this.#watch.emit(uid, "health"),
    end: async (instance, identity, why) => {
      await keeperOf(instance).noteEndReason(why);
      await signalProcess(identity, "SIGKILL");
    },
  });

  constructor(options: CrunDriverOptions) {
    this.host = new CrunHost(options);
  }

  /** What instances may have of the host's disk. */
  get quota(): DiskQuota {
    return this.host.quota;
  }

  /** The runtime, found once. @throws {ZorError} when there is none. */
  runtime(): Promise<UsableRuntime> {
    return this.host.runtime();
  }

  async fingerprint({ signal }: CallOptions): Promise<readonly Capability[]> {
    return probeRuntime(this.host.runtimeDirectory, signal);
  }

  async validate(spec: InstanceSpec): Promise<void> {
    const options = optionsOf(spec);
    const violations = checkOptions(options);
    if (violations.length > 0) throw invalidFields(violations);
    await this.host.privileges(options);
    await this.#checkHost(spec);
    await (await openRootfsImage(this.host.imageDirectories, options))[Symbol.asyncDispose]();
  }

  async create(instance: DriverInstance, options: CallOptions & { readonly progress: Progress }): Promise<void> {
    await createContainer(this.host, instance, options);
  }

  async start(instance: DriverInstance, network: InstanceNetwork, options: CallOptions): Promise<RecoveryHandle> {
    const handle = await this.#launch(instance, network, options);
    this.#watch.emit(instance.uid, "started");
    return handle;
  }

  async recover(instance: DriverInstance, handle: RecoveryHandle | undefined): Promise<RecoveryHandle | undefined> {
    const { runtime } = await this.host.runtime();
    const id = containerId(instance);
    await removeExecSessions(instance.directory, id, this.#startMs);
    if (!this.saving.has(instance.uid)) await removeHalfSaved(instance);
    const state = await runtime.findState(id);
    if (state?.status === "created" || state?.status === "creating") {
      // The agent ended between creating and starting it: it was never acknowledged.
      await abandonContainer(this.host, instance);
      return undefined;
    }
    const identity = state === undefined || state.pid === 0 ? undefined : await findIdentity(state.pid);
    const found = identity ?? (handle !== undefined && (await isAlive(handle)) ? handle : undefined);
    if (found === undefined) return undefined;
    this.#watch.add(instance.uid, found);
    await this.#beginHealth(instance, found);
    return { pid: found.pid, startTicks: found.startTicks, extra: { container: id, runtime: runtime.name } };
  }

  async stop(instance: DriverInstance, handle: RecoveryHandle): Promise<void> {
    await this.#health.end(instance.uid);
    await this.#end(instance, handle);
    this.#watch.remove(instance.uid, "stopped");
  }

  async destroy(instance: DriverInstance): Promise<void> {
    const { runtime } = await this.host.runtime();
    await runtime.delete(containerId(instance));
    await removeControlGroups(runtime.cgroups, containerId(instance));
    await keeperOf(instance).remove();
    await (await this.host.rootfs(instance)).remove();
    await this.host.ranges.release(instance.uid, instance.directory);
    for (const name of ["config.json", "etc", "mounts", "health.json", "snapshots", "saving"]) {
      await rm(join(instance.directory, name), { recursive: true, force: true });
    }
  }

  async inspect(
    instance: DriverInstance,
    handle: RecoveryHandle | undefined,
    options: CallOptions,
  ): Promise<Observation> {
    if (handle === undefined || !(await isAlive(handle))) return this.#inspectEnded(instance, handle);
    const common = { pid: handle.pid, startTime: await startTimeOf(handle), accelerator: "" };
    try {
      const { runtime } = await this.host.runtime();
      const state = await runtime.findState(containerId(instance), options.signal);
      if (state?.status === "running" || state?.status === "paused") {
        const health = this.#health.of(instance.uid);
        return { ...common, state: state.status, reason: "", execReady: state.status === "running", health };
      }
      const reason = state === undefined ? "the runtime does not know it" : `the runtime says it is ${state.status}`;
      return { ...common, state: "unknown", reason, execReady: false };
    } catch (error) {
      options.signal.throwIfAborted();
      return {
        ...common,
        state: "unknown",
        reason: `the runtime does not answer: ${toldOf(error)}`,
        execReady: false,
      };
    }
  }

  events(signal: AbortSignal): AsyncIterable<DriverEvent> {
    return this.#watch.events(signal);
  }

  /** Containers are looked at, and held by their own conmon: there is nothing to let go of but their health checks. */
  async detach(): Promise<void> {
    await this.#health.close();
  }

  /**
   * Has a running container keep to the limits of its spec as that is now: CPUs, memory and those of the options but open_files.
   * @throws {ZorError} FAILED_PRECONDITION: the host cannot limit that, or the container uses more already; then nothing has changed.
   */
  async updateLimits(instance: DriverInstance, { signal }: CallOptions): Promise<void> {
    await applyLimits((await this.host.runtime()).runtime, instance, signal);
  }

  async pause(instance: DriverInstance, _handle: RecoveryHandle, options: CallOptions): Promise<void> {
    const { runtime } = await this.host.runtime();
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
    await (await this.host.runtime()).runtime.resume(containerId(instance), options.signal);
    this.#watch.emit(instance.uid, "resumed");
  }

  async reset(
    instance: DriverInstance,
    handle: RecoveryHandle,
    network: InstanceNetwork,
    options: CallOptions,
  ): Promise<RecoveryHandle> {
    this.#watch.forget(instance.uid);
    await this.#health.end(instance.uid);
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

  async openConsole(instance: DriverInstance, handle: RecoveryHandle, options: ConsoleRequest): Promise<ConsoleStream> {
    const { name: resource, directory } = instance;
    return openContainerConsole({ resource, directory, keeper: keeperOf(instance), first: handle, ...options });
  }

  exec(...call: Parameters<Executable["exec"]>): AsyncGenerator<ExecOutput> {
    return this.#commands.exec(...call);
  }

  async #launch(instance: DriverInstance, network: InstanceNetwork, options: CallOptions): Promise<RecoveryHandle> {
    const identity = await launchContainer(this.host, instance, network, options);
    this.#watch.add(instance.uid, identity);
    await this.#beginHealth(instance, identity);
    const { runtime } = await this.host.runtime();
    return { ...identity, extra: { container: containerId(instance), runtime: runtime.name } };
  }

  async #beginHealth(instance: DriverInstance, identity: ProcessIdentity): Promise<void> {
    const plan = toHealthPlan(optionsOf(instance.spec).healthCheck);
    if (plan === undefined) return;
    const started = await startTimeOf(identity);
    await this.#health.begin(instance, identity, { plan, startedMs: started?.getTime() ?? Date.now() });
  }

  /** What a spec asks for and the host does not have. @throws {ZorError} FAILED_PRECONDITION */
  async #checkHost(spec: InstanceSpec): Promise<void> {
    const options = optionsOf(spec);
    const { runtime } = await this.host.runtime();
    const size = sizeOf(spec);
    checkTmpfs(options, size.memoryMib);
    const directory = this.host.runtimeDirectory;
    await buildResources({ size, limits: options.limits, cgroups: runtime.cgroups, directory, resource: "instance" });
    await grantDevices(options.devices);
    await (await grantMounts(options, this.host.policy))[Symbol.asyncDispose]();
  }

  /** Ends a container and removes what the runtime keeps of it. */
  async #end(instance: DriverInstance, handle: RecoveryHandle): Promise<void> {
    const usable = await this.host.runtime().catch(() => undefined);
    const id = containerId(instance);
    const keeper = keeperOf(instance);
    if (await isAlive(handle)) {
      await keeper.noteEndRequested();
      await signalProcess(handle, "SIGKILL");
      // A frozen process takes no signal, not even this one.
      const state = await usable?.runtime.findState(id).catch(() => undefined);
      if (state?.status === "paused") await usable?.runtime.resume(id, uninterrupted);
      if (!(await waitForExit(handle, exitWaitMs))) {
        throw failedPrecondition(
          "STILL_RUNNING",
          instance.name,
          `${instance.name} does not end; its first process hangs in the kernel`,
        );
      }
    }
    await keeper.finished(exitCodeWaitMs);
    // It has ended. What a runtime that is gone or hangs keeps of it, the next start or the deletion removes.
    await usable?.runtime.delete(id).catch(() => undefined);
  }

  /** The state of a container that does not run, with why when its end was not asked for. */
  async #inspectEnded(instance: DriverInstance, handle: RecoveryHandle | undefined): Promise<Observation> {
    await this.#health.end(instance.uid);
    const ended = { pid: 0, startTime: undefined, accelerator: "", execReady: false };
    if (handle === undefined) return { ...ended, state: "stopped", reason: "" };
    const keeper = keeperOf(instance);
    if (await keeper.isEndRequested()) return { ...ended, state: "stopped", reason: "" };
    const code = await keeper.waitForExitCode(exitCodeWaitMs);
    const usable = await this.host.runtime().catch(() => undefined);
    const { cgroups } = usable?.runtime ?? {};
    const memory =
      cgroups === undefined ? undefined : await readMemoryEvents(cgroups, containerId(instance)).catch(() => undefined);
    const limitMib = sizeOf(instance.spec).memoryMib;
    const end = toContainerEnd(code, memory, { limitMib, totalMib: Math.floor(totalmem() / 2 ** 20) });
    const why = await keeper.endReason();
    if (why !== undefined) return { ...ended, state: "failed", reason: why, end };
    return { ...ended, state: code === 0 ? "stopped" : "failed", reason: describeEnd(code, memory, limitMib), end };
  }
}
