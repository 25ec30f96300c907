import { join } from "node:path";
import { z } from "zod";
import { failedPrecondition } from "../../../lib/errors.js";
import {
  endProcess,
  findIdentity,
  isAlive,
  type ProcessIdentity,
  signalProcess,
  waitForExit,
} from "../../../lib/process.js";
import { uninterrupted } from "../../../lib/uninterrupted.js";
import type { ContainerEngineOptions } from "../../../proto/gen/zor/v1/container_engine.js";
import type { InstanceSpec } from "../../../proto/gen/zor/v1/instance.js";
import { type AgentLimits, readAgentLimits } from "../containers/agent-limits.js";
import type { ContainerCapability } from "../containers/capabilities.js";
import { type ContainerPolicy, nothingAllowed } from "../containers/container-policy.js";
import { grantCapabilities } from "../containers/privileges.js";
import { resolvConf } from "../containers/resolv-conf.js";
import type { CallOptions, DriverInstance, Progress } from "../driver.js";
import { buildContainerConfig, libpodLimitsOf, limitsOf } from "./container-config.js";
import { baseName, type ContainerRecord, RecordFiles } from "./container-record.js";
import { containerSchema, type EngineContainer, toContainerName, uidLabel } from "./container-state.js";
import { type AccessGranted, grantAccess } from "./engine-access.js";
import type { EngineClient } from "./engine-client.js";
import { type EngineDebt, EngineDebts } from "./engine-debts.js";
import { networkModeOf, noNetwork } from "./engine-network.js";
import { engineTraffic } from "./engine-traffic.js";
import { isAway, isConflict, isNotThere, isUnreachable } from "./engine-error.js";
import type { EngineImages } from "./engine-images.js";
import { type EngineDriverOptions, type EngineProduct, libpodPrefix } from "./engine-product.js";

/** What containers are made with. */
export interface EngineContainersOptions
  extends Pick<EngineDriverOptions, "containerCapabilities" | "containers" | "stateDirectory"> {
  readonly client: EngineClient;
  readonly images: EngineImages;
  readonly product: EngineProduct;
}

/** Engines make, start and end containers within this time, also on a busy host. */
const workMs = 60_000;
const exitWaitMs = 10_000;
const [endedPollMs, endedLimitMs] = [25, 10_000];
/** What an engine that tells of every change was last asked is asked anew after this time, should it have told nothing. */
const lookAgainMs = 60_000;
const createdSchema = z.object({ Id: z.string().regex(/^[0-9a-f]{64}$/) });

/** What a spec asks for, with defaults. */
export function sizeOf(spec: InstanceSpec): { readonly cpus: number; readonly memoryMib: number } {
  return { cpus: spec.cpus ?? 1, memoryMib: Number(spec.memoryMib ?? 128n) };
}

/** The containers of instances in an engine: found by the id that was kept or by name, and only ours when they have the label. */
export class EngineContainers {
  readonly #client: EngineClient;
  readonly #images: EngineImages;
  readonly #product: EngineProduct;
  readonly #allowed: readonly ContainerCapability[];
  readonly #policy: ContainerPolicy;
  readonly #looks = new Map<string, { readonly container: EngineContainer | undefined; readonly atMs: number }>();
  readonly #debts: EngineDebts;
  #limits: AgentLimits | undefined;

  constructor(options: EngineContainersOptions) {
    this.#client = options.client;
    this.#images = options.images;
    this.#product = options.product;
    this.#allowed = options.containerCapabilities;
    this.#policy = options.containers ?? nothingAllowed;
    const { stateDirectory } = options;
    const directory = stateDirectory === undefined ? undefined : join(stateDirectory, `${options.product.kind}-debts`);
    this.#debts = new EngineDebts({ directory, remove: (debt, signal) => this.#removeOwed(debt, signal) });
  }

  /** Removes what is left of earlier failures as soon as the engine lets it, until the signal aborts. */
  async cleanUp(signal: AbortSignal): Promise<void> {
    await this.#debts.follow(signal);
  }

  /** What a container may do, has of the host, and may have of its disk. @throws {ZorError} FAILED_PRECONDITION when the host's policy does not allow it. */
  async grant(
    options: ContainerEngineOptions,
    signal: AbortSignal,
  ): Promise<{
    readonly traffic: object;
    readonly capabilities: readonly ContainerCapability[];
    readonly access: AccessGranted;
    readonly agentLimits: AgentLimits;
  }> {
    this.#limits ??= await readAgentLimits();
    const agentLimits = this.#limits;
    const access = await grantAccess(options, this.#policy);
    const capabilities = grantCapabilities(options.capabilities, { allowed: this.#allowed, agentLimits });
    return { capabilities, access, agentLimits, traffic: await engineTraffic(this.#client, options, signal) };
  }

  /** Brings the image and makes the container. What an earlier attempt left is replaced. */
  async create(
    instance: DriverInstance,
    options: ContainerEngineOptions,
    call: CallOptions & { readonly progress: Progress },
  ): Promise<void> {
    await this.#destroyNow(instance, call.signal);
    await using undo = new AsyncDisposableStack();
    undo.defer(() => this.destroy(instance, uninterrupted));
    const field = `instance.spec.${this.#product.kind}.image`;
    const { id: image, imported } = await this.#images.ensure({ options, field }, call);
    const record = { container: "", image, imported, rebased: false };
    await filesOf(instance).write(record);
    call.progress("making the container", 95);
    call.signal.throwIfAborted();
    // One that joins another one's network is made where that is, when it starts.
    if (options.networkOf === "") await this.#make(instance, options, record);
    call.signal.throwIfAborted();
    undo.move();
  }

  /**
   * The container of an instance, ready to be started: the one there is when it is persistent, else a new one.
   * @param call.netns name of the net namespace that it joins, should it join another one's.
   * @throws {ZorError} FAILED_PRECONDITION when it runs, or the host's policy does not allow it any more.
   */
  async prepare(
    instance: DriverInstance,
    options: ContainerEngineOptions,
    { netns, signal }: CallOptions & { readonly netns: string },
  ): Promise<string> {
    const there = await this.find(instance, signal);
    if (there?.State.Running === true)
      throw failedPrecondition("ALREADY_RUNNING", instance.name, `${instance.name} runs already; stop it first`);
    await this.grant(options, signal);
    if (there !== undefined && options.persistent) return there.Id;
    const known = await filesOf(instance).read();
    const networkMode = await networkModeOf(this.#client, { instance, ...options, netns, signal });
    if (there !== undefined) await this.#delete(there.Id);
    return this.#make(instance, options, known ?? (await this.#bring(options, signal)), networkMode);
  }

  /** Has a container that does not run be made of another image from now on. Done twice it is as done once. */
  async rebase(instance: DriverInstance, image: string): Promise<void> {
    const options = this.#optionsOf(instance);
    const before = await filesOf(instance).read();
    const record = before ?? (await this.#bring(options, uninterrupted));
    const there = await this.find(instance, uninterrupted);
    if (there?.State.Running === true) throw new Error("a container that runs is not made anew");
    await this.#images.tag(image, baseName(instance.uid), uninterrupted);
    // From here on a start makes it of that.
    await filesOf(instance).write({ ...record, container: "", image, rebased: true });
    if (there !== undefined) await this.#delete(there.Id);
    if (record.rebased && record.image !== image) await this.#images.removeNameless(record.image, uninterrupted);
    await this.#make(instance, options, { ...record, image, rebased: true });
  }

  /** Has a running container keep to these limits. */
  async limit(instance: DriverInstance, options: ContainerEngineOptions, signal: AbortSignal): Promise<void> {
    const { Id: id } = await this.get(instance, signal);
    const wanted = { options, ...sizeOf(instance.spec) };
    const request = { method: "POST", path: `/containers/${id}/update`, signal } as const;
    if (this.#product.kind === "docker") await this.#client.call({ ...request, body: limitsOf(wanted) });
    else await this.#client.call({ ...request, prefix: libpodPrefix, body: libpodLimitsOf(wanted) });
  }

  /** Has only the agent start it again: somebody has told the engine to do so too. */
  async disarm({ Id: id }: EngineContainer, signal: AbortSignal): Promise<void> {
    const body = { RestartPolicy: { Name: "no" } };
    await this.#client.call({ method: "POST", path: `/containers/${id}/update`, body, signal });
  }

  /** Starts a container that was prepared. Not to be cut short: an engine goes on with what it was asked. */
  async start(instance: DriverInstance, container: string): Promise<EngineContainer> {
    const request = { method: "POST", path: `/containers/${container}/start`, signal: uninterrupted } as const;
    await this.#client.call({ ...request, deadlineMs: workMs });
    this.forgetLook(instance.uid);
    return this.get(instance, uninterrupted);
  }

  /** Takes a failed start back: nothing runs, and a container that is thrown away is gone. */
  async abandon(instance: DriverInstance): Promise<void> {
    const container = await this.find(instance, uninterrupted);
    if (container === undefined) return;
    const first = container.State.Pid > 0 ? await findIdentity(container.State.Pid) : undefined;
    if (first !== undefined) await endProcess(first, 0);
    await this.#waitUntilEnded(instance);
  }

  /** Ends a container at once. Resolves when the engine knows it too. Idempotent. */
  async end(instance: DriverInstance, handle: ProcessIdentity): Promise<void> {
    const container = await this.find(instance, uninterrupted);
    await filesOf(instance).noteEndRequested();
    if (await isAlive(handle)) await this.#kill(instance, handle, container?.State.Paused === true);
    const first = container?.State.Running === true ? await findIdentity(container.State.Pid) : undefined;
    // Somebody has restarted it, and nobody has looked since.
    if (first !== undefined) await this.#kill(instance, first, container?.State.Paused === true);
    await this.#waitUntilEnded(instance);
  }

  /** Removes the container and what was imported for it; later, when its engine does not answer. Idempotent. */
  async destroy(instance: DriverInstance, signal: AbortSignal): Promise<void> {
    const record = await filesOf(instance).read();
    await this.#destroyNow(instance, signal).catch(async (error: unknown) => {
      if (!isAway(error) || !(await this.#debts.owe({ uid: instance.uid, imported: record?.imported ?? "" })))
        throw error;
      await filesOf(instance).remove();
    });
  }

  async #destroyNow(instance: DriverInstance, signal: AbortSignal): Promise<void> {
    const files = filesOf(instance);
    const record = await files.read();
    const container = await this.find(instance, signal).catch((error: unknown) => {
      // An instance that nothing was made for leaves nothing, whether or not there is an engine.
      if (record === undefined && isUnreachable(error)) return undefined;
      throw error;
    });
    if (container !== undefined) await this.#delete(container.Id);
    if (record !== undefined) {
      await this.#images.release(record.imported, { signal });
      await this.#images.forgetStates(instance.uid, signal);
    }
    this.forgetLook(instance.uid);
    await files.remove();
  }

  /** Does what an engine has a verb for. One that is so already is no error. */
  async act(instance: DriverInstance, verb: "pause" | "unpause", signal: AbortSignal): Promise<void> {
    const { Id: id, State: state } = await this.get(instance, signal);
    if (state.Paused !== (verb === "pause"))
      await this.#client.call({ method: "POST", path: `/containers/${id}/${verb}`, signal, deadlineMs: workMs });
    this.forgetLook(instance.uid);
  }

  /** Sends the signal by which the image wants to be asked to end. One that has ended needs none. */
  async sendStopSignal(instance: DriverInstance, signal: AbortSignal): Promise<void> {
    const { Id: id, Config: config } = await this.get(instance, signal);
    const query = { signal: config.StopSignal || "SIGTERM" };
    await this.#client
      .call({ method: "POST", path: `/containers/${id}/kill`, query, signal })
      .catch((error: unknown) => {
        if (!isConflict(error)) throw error;
      });
  }

  /**
   * What the engine says of the container.
   * @param options.isSure every change is told, and its first process is as it was: what was last said is so.
   */
  async look(
    instance: DriverInstance,
    { isSure, signal }: { readonly isSure: boolean; readonly signal: AbortSignal },
  ): Promise<EngineContainer | undefined> {
    const known = this.#looks.get(instance.uid);
    if (isSure && known !== undefined && performance.now() - known.atMs < lookAgainMs) {
      // An engine that hangs tells of no changes either.
      await this.#client.ping(signal);
      if (this.#looks.get(instance.uid) === known) return known.container;
    }
    const turn = { container: undefined, atMs: performance.now() };
    this.#looks.set(instance.uid, turn);
    const container = await this.find(instance, signal).catch((error: unknown) => {
      this.forgetLook(instance.uid);
      throw error;
    });
    // Something that was told meanwhile may have been after the answer.
    if (this.#looks.get(instance.uid) === turn) this.#looks.set(instance.uid, { container, atMs: turn.atMs });
    return container;
  }

  /** What was said of a container may not be so any more. */
  forgetLook(uid: string): void {
    this.#looks.delete(uid);
  }

  /** The container of an instance; undefined when the engine has none. @throws {ZorError} when its name is another's. */
  async find(instance: DriverInstance, signal: AbortSignal): Promise<EngineContainer | undefined> {
    const record = await filesOf(instance).read();
    const id = record === undefined || record.container === "" ? toContainerName(instance.uid) : record.container;
    try {
      const request = { method: "GET", path: `/containers/${id}/json`, signal } as const;
      const container = await this.#client.json(request, containerSchema);
      return container.Config.Labels[uidLabel] === instance.uid ? container : undefined;
    } catch (error) {
      if (isNotThere(error)) return undefined;
      throw error;
    }
  }

  /** Like {@link find}. @throws {ZorError} FAILED_PRECONDITION when there is none. */
  async get(instance: DriverInstance, signal: AbortSignal): Promise<EngineContainer> {
    const container = await this.find(instance, signal);
    if (container !== undefined) return container;
    const what = `the container of ${instance.name} is not in ${this.#product.kind} any more`;
    throw failedPrecondition("CONTAINER_GONE", instance.name, `${what}; stop and start it to have a new one`);
  }

  /** Removes what the engine has of an instance of which nothing else is left. */
  async #removeOwed({ uid, imported }: EngineDebt, signal: AbortSignal): Promise<void> {
    const path = `/containers/${toContainerName(uid)}/json`;
    const container = await this.#client
      .json({ method: "GET", path, signal }, containerSchema)
      .catch((error: unknown) => {
        if (isNotThere(error)) return undefined;
        throw error;
      });
    if (container?.Config.Labels[uidLabel] === uid) await this.#delete(container.Id);
    await this.#images.release(imported, { signal });
    await this.#images.forgetStates(uid, signal);
  }

  #optionsOf({ spec }: DriverInstance): ContainerEngineOptions {
    if (spec.driver?.$case === this.#product.kind) return spec.driver.value;
    throw new Error(`the instance layer gave the ${this.#product.kind} driver another driver's spec`);
  }

  async #make(
    instance: DriverInstance,
    options: ContainerEngineOptions,
    record: ContainerRecord,
    networkMode = noNetwork,
  ): Promise<string> {
    const { image } = record;
    const { access, ...granted } = await this.grant(options, uninterrupted);
    const product = this.#product;
    const names = product.tellsNameServers ? [] : await this.#nameServers(instance, options);
    const given = { ...granted, access: { ...access, mounts: [...access.mounts, ...names] }, product, networkMode };
    const body = buildContainerConfig({ instance, options, image, ...sizeOf(instance.spec), ...given });
    const query = { name: toContainerName(instance.uid) };
    // Whole or not at all: an engine goes on with what it was asked.
    const request = { method: "POST", path: "/containers/create", query, body, signal: uninterrupted } as const;
    const { Id: container } = await this.#client.json({ ...request, deadlineMs: workMs }, createdSchema);
    await filesOf(instance).write({ ...record, container });
    this.forgetLook(instance.uid);
    return container;
  }

  /** Mounts that tell the container whom to ask for names, in place of its engine. */
  async #nameServers(
    instance: DriverInstance,
    { dns, readOnlyRoot }: ContainerEngineOptions,
  ): Promise<AccessGranted["mounts"]> {
    const text = resolvConf(dns);
    if (text === undefined) return [];
    const path = await filesOf(instance).writeNameServers(text);
    return [{ path, target: "/etc/resolv.conf", readOnly: readOnlyRoot }];
  }

  /** The image of an instance whose record is lost. */
  async #bring(options: ContainerEngineOptions, signal: AbortSignal): Promise<ContainerRecord> {
    const wanted = { options, field: `instance.spec.${this.#product.kind}.image` };
    const { id: image, imported } = await this.#images.ensure(wanted, { signal, progress: () => undefined });
    return { container: "", image, imported, rebased: false };
  }

  async #delete(id: string): Promise<void> {
    const query = { force: "1", v: "1" };
    const request = { method: "DELETE", path: `/containers/${id}`, query, signal: uninterrupted } as const;
    await this.#client.call({ ...request, deadlineMs: workMs }).catch((error: unknown) => {
      if (!isNotThere(error)) throw error;
    });
  }

  async #kill(instance: DriverInstance, first: ProcessIdentity, isPaused: boolean): Promise<void> {
    await signalProcess(first, "SIGKILL");
    // A frozen process takes no signal, not even this one.
    if (isPaused) await this.act(instance, "unpause", uninterrupted);
    if (await waitForExit(first, exitWaitMs)) return;
    throw failedPrecondition(
      "STILL_RUNNING",
      instance.name,
      `${instance.name} does not end; its first process hangs in the kernel`,
    );
  }

  /** The kernel ends a process before its engine knows. */
  async #waitUntilEnded(instance: DriverInstance): Promise<void> {
    const deadline = performance.now() + endedLimitMs;
    for (;;) {
      const isLate = performance.now() > deadline;
      // An engine that is slow for once has not failed to end it.
      const container = await this.find(instance, uninterrupted).catch((error: unknown) => {
        if (isLate || !isAway(error)) throw error;
        return "away" as const;
      });
      if (container !== "away" && container?.State.Running !== true) break;
      if (isLate) {
        const what = `${this.#product.kind} still calls ${instance.name} running, though its first process has ended`;
        throw failedPrecondition("STILL_RUNNING", instance.name, `${what}; look at the engine's log`);
      }
      await new Promise((resolve) => setTimeout(resolve, endedPollMs));
    }
    this.forgetLook(instance.uid);
  }
}

function filesOf(instance: DriverInstance): RecordFiles {
  return new RecordFiles(instance.directory);
}
