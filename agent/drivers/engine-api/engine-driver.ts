import { invalidFields, unavailable } from "../../../lib/errors.js";
import { findIdentity, isAlive, type ProcessIdentity, signalProcess, startTimeOf } from "../../../lib/process.js";
import type { ContainerEngineOptions } from "../../../proto/gen/zor/v1/container_engine.js";
import type { Capability } from "../../../proto/gen/zor/v1/host.js";
import type { InstanceSpec } from "../../../proto/gen/zor/v1/instance.js";
import type { InstanceNetwork } from "../../network/instance-networks.js";
import { toHealthPlan } from "../containers/health-check.js";
import { HealthMonitor } from "../containers/health-monitor.js";
import type { HasLimits } from "../containers/limit-change.js";
import type { Sharing } from "../abilities/sharing.js";
import { askToEnd } from "../containers/end-signals.js";
import type {
  Abilities,
  CallOptions,
  ConsoleStream,
  DriverEvent,
  DriverInstance,
  HasConsole,
  InstanceDriver,
  Observation,
  Pausable,
  Progress,
  RecoveryHandle,
  Resettable,
  Shutdownable,
  Wiring,
} from "../driver.js";
import { RecordFiles } from "./container-record.js";
import { type EngineContainer, engineHealth, isRestartedByEngine } from "./container-state.js";
import { EngineChanges } from "./engine-changes.js";
import { describeEnd, toEngineEnd } from "./end-reason.js";
import { EngineClient } from "./engine-client.js";
import { EngineCommands } from "./engine-commands.js";
import { openEngineConsole, resizeTerminal } from "./engine-console.js";
import { EngineContainers, sizeOf } from "./engine-containers.js";
import { engineCopyAbilities } from "./engine-copies.js";
import { asEngineFailure } from "./engine-error.js";
import { EngineEvents } from "./engine-events.js";
import { EngineImages } from "./engine-images.js";
import { plugIn } from "./engine-network.js";
import { probeEngine } from "./engine-probe.js";
import { EngineStatistics } from "./engine-statistics.js";
import type { EngineDriverOptions, EngineProduct } from "./engine-product.js";
import { checkEngineOptions } from "./options-check.js";
import { toldOf } from "../../host/told.js";

const [terminalColumns, terminalRows] = [80, 24];

/**
 * Containers that a container engine of the host runs: Docker, or podman by the same API. Each instance is one container, which has the
 * instance's uid for a label; no other is looked at or touched. What anybody else does to it is told by the engine's events.
 */
export class EngineDriver implements InstanceDriver, Pausable, Resettable, Shutdownable, HasConsole, Wiring, HasLimits {
  readonly kind: EngineProduct["kind"];
  readonly options: { readonly case: EngineProduct["kind"] };
  readonly network = "join";
  readonly can: Abilities;
  readonly wiring = this;
  readonly sharing: Sharing;
  readonly #client: EngineClient;
  readonly #containers: EngineContainers;
  readonly #images: EngineImages;
  readonly #events: EngineEvents;
  readonly #health: HealthMonitor;
  readonly #product: EngineProduct;
  readonly #socketPath: string;

  constructor(product: EngineProduct, options: EngineDriverOptions) {
    this.kind = product.kind;
    this.options = { case: product.kind };
    this.#product = product;
    this.sharing = {
      field: `${product.kind}.network_of`,
      networkOf: (spec) => this.#optionsOf(spec).networkOf,
      // It knows no others.
      ...(product.kind === "docker" ? { kinds: [product.kind] } : {}),
    };
    this.#socketPath = options.socketPath;
    this.#client = new EngineClient({ socketPath: options.socketPath, product: product.kind });
    this.#images = new EngineImages({ client: this.#client, ...options });
    this.#containers = new EngineContainers({ client: this.#client, images: this.#images, product, ...options });
    const commands = new EngineCommands({ client: this.#client, containers: this.#containers });
    this.can = {
      ...{ pause: this, reset: this, shutdown: this, console: this, change: new EngineChanges(this) },
      ...commands.abilities,
      statistics: new EngineStatistics({ client: this.#client, containers: this.#containers }),
      ...engineCopyAbilities({ client: this.#client, containers: this.#containers, quota: options.quota }),
    };
    this.#events = new EngineEvents(this.#client, (uid) => this.#containers.forgetLook(uid));
    this.#health = new HealthMonitor({
      exec: (instance, command, signal) => commands.run(instance, command, { signal }),
      onChange: (uid) => this.#events.emit(uid, "health"),
      end: async (instance, identity, why) => {
        await filesOf(instance).noteEndReason(why);
        await signalProcess(identity, "SIGKILL");
      },
    });
    this.#client.onReturn(() => this.#events.emitAll("engine-back", ""));
  }

  async fingerprint({ signal }: CallOptions): Promise<readonly Capability[]> {
    return probeEngine(this.#client, { socketPath: this.#socketPath, signal });
  }

  async validate(spec: InstanceSpec, { signal }: CallOptions): Promise<void> {
    const options = this.#optionsOf(spec);
    const base = `instance.spec.${this.kind}`;
    const violations = checkEngineOptions(base, options);
    if (violations.length > 0) throw invalidFields(violations);
    await this.#attempt("look at the image", async () => {
      await this.#containers.grant(options, signal);
      await this.#images.check({ options, field: `${base}.image` }, { signal });
    });
  }

  async create(instance: DriverInstance, options: CallOptions & { readonly progress: Progress }): Promise<void> {
    await this.#attempt("make the container", async () => {
      await this.#containers.create(instance, this.#optionsOf(instance.spec), options);
    });
    this.#events.watch(instance.uid, undefined);
  }

  async start(instance: DriverInstance, network: InstanceNetwork, options: CallOptions): Promise<RecoveryHandle> {
    return this.#attempt("start the container", () => this.#launch(instance, network, options));
  }

  async recover(
    instance: DriverInstance,
    _handle: RecoveryHandle | undefined,
    { signal }: CallOptions,
  ): Promise<RecoveryHandle | undefined> {
    const container = await this.#attempt("look for the container", () => this.#containers.find(instance, signal));
    const first = container === undefined ? undefined : await firstProcessOf(container);
    this.#events.watch(instance.uid, first);
    if (container === undefined || first === undefined) return undefined;
    await this.#beginHealth(instance, first);
    return toHandle(container, first);
  }

  async stop(instance: DriverInstance, handle: RecoveryHandle, _options: CallOptions): Promise<void> {
    await this.#health.end(instance.uid);
    await this.#attempt("end the container", () => this.#containers.end(instance, handle));
    this.#events.watch(instance.uid, undefined);
  }

  async destroy(instance: DriverInstance, { signal }: CallOptions): Promise<void> {
    this.#events.forget(instance.uid);
    await this.#health.end(instance.uid);
    await this.#attempt("remove the container", () => this.#containers.destroy(instance, signal));
  }

  async inspect(
    instance: DriverInstance,
    handle: RecoveryHandle | undefined,
    { signal }: CallOptions,
  ): Promise<Observation> {
    try {
      return await this.#inspect(instance, handle, signal);
    } catch (error) {
      signal.throwIfAborted();
      if (handle === undefined) throw error;
      const alive = await isAlive(handle);
      const what = alive ? "its first process runs" : "its first process has ended";
      return {
        state: "unknown",
        reason: `${what}, and nothing more can be known: ${toldOf(error)}`,
        pid: alive ? handle.pid : 0,
        startTime: alive ? await startTimeOf(handle) : undefined,
        accelerator: "",
        execReady: false,
      };
    }
  }

  async *events(signal: AbortSignal): AsyncGenerator<DriverEvent> {
    const cleaning = this.#containers.cleanUp(signal);
    try {
      yield* this.#events.events(signal);
    } finally {
      await cleaning;
    }
  }

  /** Connections end with the signals of their callers; this lets go of the one that waits for an engine. */
  async detach(): Promise<void> {
    this.#client.close();
    await this.#health.close();
  }

  async connect(
    instance: DriverInstance,
    handle: RecoveryHandle,
    network: InstanceNetwork,
    { signal }: CallOptions,
  ): Promise<void> {
    await plugIn({ instance, ...this.#optionsOf(instance.spec) }, { network, process: handle, signal });
    await this.#beginHealth(instance, handle);
  }

  async pause(instance: DriverInstance, _handle: RecoveryHandle, { signal }: CallOptions): Promise<void> {
    await this.#attempt("pause the container", () => this.#containers.act(instance, "pause", signal));
  }

  async resume(instance: DriverInstance, _handle: RecoveryHandle, { signal }: CallOptions): Promise<void> {
    await this.#attempt("resume the container", () => this.#containers.act(instance, "unpause", signal));
  }

  async reset(
    instance: DriverInstance,
    handle: RecoveryHandle,
    network: InstanceNetwork,
    options: CallOptions,
  ): Promise<RecoveryHandle> {
    return this.#attempt("reset the container", async () => {
      // The end that belongs to it is not told.
      this.#events.forget(instance.uid);
      await this.#health.end(instance.uid);
      try {
        await this.#containers.end(instance, handle);
        const next = await this.#launch(instance, network, options);
        this.#events.emit(instance.uid, "reset");
        return next;
      } catch (error) {
        this.#events.watch(instance.uid, undefined);
        throw error;
      }
    });
  }

  async updateLimits(instance: DriverInstance, { signal }: CallOptions): Promise<void> {
    const options = this.#optionsOf(instance.spec);
    await this.#attempt("change the limits", () => this.#containers.limit(instance, options, signal));
  }

  async requestShutdown(
    instance: DriverInstance,
    handle: RecoveryHandle,
    { signal, attempt }: CallOptions & { readonly attempt: number },
  ): Promise<void> {
    await filesOf(instance).noteEndRequested();
    // First as the image wants to be asked, which the engine knows; then with what its first process listens to.
    if (attempt === 0)
      await this.#attempt("ask the container to end", () => this.#containers.sendStopSignal(instance, signal));
    else await askToEnd(handle, attempt);
  }

  async giveUpShutdown(instance: DriverInstance): Promise<void> {
    await filesOf(instance).forgetEndRequested();
  }

  async openConsole(
    instance: DriverInstance,
    _handle: RecoveryHandle,
    options: CallOptions & { readonly replayBytes: number },
  ): Promise<ConsoleStream> {
    return this.#attempt("open the terminal", async () => {
      const container = await this.#containers.get(instance, options.signal);
      return openEngineConsole(this.#client, container, options);
    });
  }

  async #launch(instance: DriverInstance, network: InstanceNetwork, { signal }: CallOptions): Promise<RecoveryHandle> {
    const options = this.#optionsOf(instance.spec);
    await using undo = new AsyncDisposableStack();
    const container = await this.#containers.prepare(instance, options, { netns: network.netns, signal });
    undo.defer(() => this.#containers.abandon(instance));
    await filesOf(instance).forgetEndRequested();
    signal.throwIfAborted();
    const started = await this.#containers.start(instance, container);
    const first = await firstProcessOf(started);
    if (first === undefined) throw this.#endedAtOnce(instance, started);
    // One that was kept was made with those of its time.
    if (options.persistent) await this.#containers.limit(instance, options, signal);
    await plugIn({ instance, ...options }, { network, process: first, signal });
    const size = { pid: first.pid, columns: terminalColumns, rows: terminalRows, signal };
    await resizeTerminal(this.#client, `/containers/${started.Id}`, size);
    signal.throwIfAborted();
    undo.move();
    await this.#beginHealth(instance, first);
    this.#events.watch(instance.uid, first);
    this.#events.emit(instance.uid, "started");
    return toHandle(started, first);
  }

  /** Begins to make the check of its spec, of a run that is not checked yet. */
  async #beginHealth(instance: DriverInstance, first: ProcessIdentity): Promise<void> {
    const plan = toHealthPlan(this.#optionsOf(instance.spec).healthCheck);
    if (plan === undefined || this.#health.isChecking(instance.uid, first)) return;
    const started = await startTimeOf(first);
    await this.#health.begin(instance, first, { plan, startedMs: started?.getTime() ?? Date.now() });
  }

  async #inspect(
    instance: DriverInstance,
    handle: RecoveryHandle | undefined,
    signal: AbortSignal,
  ): Promise<Observation> {
    const ended = { pid: 0, startTime: undefined, accelerator: "", execReady: false };
    const isSure = this.#events.isConnected && (handle === undefined || (await isAlive(handle)));
    const container = await this.#containers.look(instance, { isSure, signal });
    if (container === undefined) {
      if (handle === undefined && ((await filesOf(instance).read())?.container ?? "") === "")
        return { ...ended, state: "stopped", reason: "" };
      return { ...ended, state: "failed", reason: this.#removedReason(instance) };
    }
    const first = await firstProcessOf(container);
    if (first === undefined && container.State.Running)
      return {
        ...ended,
        state: "unknown",
        reason: `its first process has just ended, and ${this.kind} has not seen it`,
      };
    if (first === undefined) {
      await this.#health.end(instance.uid);
      const why = await filesOf(instance).endReason();
      const { memoryMib } = sizeOf(instance.spec);
      const reason = describeEnd(container, memoryMib);
      if (handle === undefined || (await filesOf(instance).isEndRequested()))
        return { ...ended, state: "stopped", reason: "" };
      const end = toEngineEnd(container, memoryMib);
      if (why !== undefined) return { ...ended, state: "failed", reason: why, end };
      return { ...ended, state: reason === "" ? "stopped" : "failed", reason, end };
    }
    // Two that start it again would do so against each other.
    if (isRestartedByEngine(container)) await this.#containers.disarm(container, signal);
    const isSame = handle !== undefined && handle.pid === first.pid && handle.startTicks === first.startTicks;
    if (!isSame) this.#events.watch(instance.uid, first);
    return {
      state: container.State.Paused ? "paused" : "running",
      reason: "",
      pid: first.pid,
      startTime: await startTimeOf(first),
      accelerator: "",
      execReady: !container.State.Paused,
      health: this.#health.of(instance.uid) ?? engineHealth(container),
      ...(isSame || handle === undefined ? {} : { successor: toHandle(container, first) }),
    };
  }

  #removedReason({ spec, id }: DriverInstance): string {
    const lost = this.#optionsOf(spec).persistent ? ", and with it what it had changed" : "";
    return `its container was removed from ${this.kind} by somebody else${lost}; make a new one with: zor start ${id}`;
  }

  #endedAtOnce(instance: DriverInstance, container: EngineContainer): Error {
    const how = describeEnd(container, sizeOf(instance.spec).memoryMib) || "its first process ended with exit code 0";
    const remedy = "give it a command that goes on";
    return unavailable(
      "ENDED_AT_ONCE",
      instance.name,
      `${instance.name} ended as soon as it was started: ${how}; ${remedy}`,
    );
  }

  #optionsOf(spec: InstanceSpec): ContainerEngineOptions {
    if (spec.driver?.$case === this.kind) return spec.driver.value;
    throw new Error(`the instance layer gave the ${this.#product.kind} driver another driver's spec`);
  }

  async #attempt<T>(doing: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw asEngineFailure(error, { product: this.kind, doing });
    }
  }
}

/** The first process of a container; undefined when it does not run. */
async function firstProcessOf({ State: state }: EngineContainer): Promise<ProcessIdentity | undefined> {
  return state.Running && state.Pid > 0 ? await findIdentity(state.Pid) : undefined;
}

function toHandle(container: EngineContainer, { pid, startTicks }: ProcessIdentity): RecoveryHandle {
  return { pid, startTicks, extra: { container: container.Id } };
}

function filesOf(instance: DriverInstance): RecordFiles {
  return new RecordFiles(instance.directory);
}
