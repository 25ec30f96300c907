import { join } from "node:path";
import { failedPrecondition } from "../../../lib/errors.js";
import { endProcess, findIdentity, isAlive } from "../../../lib/process.js";
import type { InstanceSpec } from "../../../proto/gen/zor/v1/instance.js";
import type { ProcessExit } from "../../host/process-exit.js";
import type { InstanceNetwork } from "../../network/instance-networks.js";
import { PumpClient } from "../../pump/protocol/pump-client.js";
import { DiskQuota } from "../disk-quota.js";
import type {
  CallOptions,
  Carrier,
  ConsoleRequest,
  ConsoleStream,
  DriverEvent,
  DriverInstance,
  ExecOutput,
  Executable,
  HasConsole,
  InstanceDriver,
  Observation,
  Pausable,
  Placing,
  Progress,
  RecoveryHandle,
  Resettable,
  Shutdownable,
  Wiring,
} from "../driver.js";
import { admit, chooseAccelerator } from "./admission.js";
import { BaseWatch } from "./base-watch.js";
import { forgetFrozen } from "./blocks/freeze.js";
import { assertSelfContained } from "./blocks/self-contained.js";
import { machineAbilities, machineSettling } from "./blocks/machine-abilities.js";
import { findCapabilities } from "./capabilities.js";
import { QemuChanges } from "./changes.js";
import { ContentDigests } from "./content-digests.js";
import { createDisks, type DisksOptions, removeDisks } from "./disks.js";
import type { QemuDriverOptions } from "./driver-options.js";
import type { Connectable } from "../abilities/connect.js";
import type { Detachable } from "../abilities/detach.js";
import { MachineCommands } from "./commands.js";
import { totalDiskMib } from "./hardware/disks.js";
import { beforeRun, endHardware, removeHardware } from "./hardware/index.js";
import { type MachinePolicy, nothingAllowed } from "./hardware/part.js";
import { nicId } from "./ids.js";
import { inspectMachine } from "./inspection.js";
import { machineKeyboard } from "./keyboard.js";
import { KvmVerdicts } from "./kvm-verdicts.js";
import { launch } from "./launch.js";
import { LiveDevices } from "./live/devices.js";
import { settle } from "./live/settle.js";
import { Appliances } from "./look/appliance.js";
import type { LookAccess } from "./look/machine-files.js";
import type { Machine } from "./machine.js";
import { machineLogs } from "./machine-logs.js";
import { machineMeter } from "./machine-meter.js";
import { findMachineProcess, toHandle } from "./machine-process.js";
import { MachineVolumes } from "./machine-volumes.js";
import { Machines } from "./machines.js";
import {
  hasMemoryImage,
  readMemoryImage,
  removeMemoryImage,
  settleMemoryImage,
  spendMemoryImage,
} from "./memory-image.js";
import { qemuOptionsOf } from "./options.js";
import { placeDevices } from "./placement.js";
import { QemuKnowledge } from "./qemu-names.js";
import { removeRunFiles } from "./run-directory.js";
import { toStartFailure, undying } from "./start-failure.js";
import { machineSuspending, type SuspendAccess } from "./suspending.js";

/** The qemu driver with everything it can do. */
type QemuDriver = InstanceDriver &
  Placing &
  Pausable &
  Resettable &
  Shutdownable &
  Carrier &
  Wiring &
  HasConsole &
  Executable & { readonly can: { readonly detach: Detachable; readonly connect: Connectable } };

/** Longest wait for a new QEMU to answer; a loaded host needs seconds, a broken one shows by ending. */
const startTimeoutMs = 20_000;
const recoverTimeoutMs = 2000;
const defaultSilentAfterMs = 60_000;
const stopGraceMs = 3000;

/** Makes the driver that runs instances as QEMU machines. */
export function createQemuDriver(options: QemuDriverOptions): QemuDriver {
  return new Driver(options);
}

class Driver implements QemuDriver, LookAccess, SuspendAccess {
  readonly kind = "qemu";
  readonly options = { case: "qemu" } as const;
  readonly network = "tap";
  readonly #volumes = new MachineVolumes((instance) => this.#machines.get(instance));
  readonly #devices = new LiveDevices({
    machineOf: (instance) => this.#machines.get(instance),
    disksOptions: (instance, options) => this.#with(instance, options),
    promiseDisk: (instance) => this.promiseDisk(instance, 0),
    onUnsettled: ({ name }, error, device) =>
      this.#options.log.warn({ err: error, resource: name, device }, "a device is not as the specification has it"),
  });
  readonly hasPorts = true;
  readonly can = {
    ...{ pause: this, reset: this, shutdown: this, console: this, exec: this },
    ...machineAbilities(this),
    ...new MachineCommands(this).abilities,
    keyboard: machineKeyboard(this),
    logs: machineLogs((instance) => this.#machines.find(instance)),
    volumes: this.#volumes,
    devices: this.#devices,
    change: new QemuChanges({
      devices: this.#devices,
      machineOf: (instance) => this.#machines.get(instance),
      disksOptions: (instance, options) => this.#with(instance, options),
      promiseDisk: (instance) => this.promiseDisk(instance, 0),
      warn: (resource, message) => this.#options.log.warn({ resource }, message),
    }),
    suspend: machineSuspending(this),
  };
  readonly settling = machineSettling(this);
  readonly measured = machineMeter((instance) => this.#machines.find(instance));
  readonly placing = this;
  readonly carrier = this;
  readonly wiring = this;
  readonly takesMemory = true;
  readonly appliances: Appliances;
  readonly #options: QemuDriverOptions;
  readonly #machines: Machines;
  readonly #digests = new ContentDigests();
  readonly #bases: BaseWatch;
  readonly #quota: DiskQuota;
  readonly #knowledge = new QemuKnowledge();
  readonly #policy: MachinePolicy;
  readonly #kvm: KvmVerdicts;

  constructor(options: QemuDriverOptions) {
    this.#options = options;
    const pump = new PumpClient(join(options.stateDirectory, "console-pump"));
    const { log, silentAfterMs = defaultSilentAfterMs } = options;
    this.#machines = new Machines({ log, silentAfterMs, pump });
    this.#quota = options.quota ?? new DiskQuota({ directory: options.stateDirectory });
    this.#kvm = new KvmVerdicts(options);
    this.appliances = new Appliances(options.diskAppliance, join(options.stateDirectory, "disk-look"));
    this.#policy = options.policy ?? nothingAllowed;
    this.#bases = new BaseWatch({
      digests: this.#digests,
      onChange: (instance, message) => this.#machines.emit(instance, "image-changed", message),
      onError: (error) => options.log.warn({ err: error }, "an image could not be compared with what it was"),
    });
  }

  async fingerprint({ signal }: CallOptions): ReturnType<InstanceDriver["fingerprint"]> {
    const { imageDirectories } = this.#options;
    return findCapabilities({ imageDirectories, kvm: this.#kvm.find(), signal });
  }

  async validate(spec: InstanceSpec, { signal }: CallOptions): Promise<void> {
    const { imageDirectories } = this.#options;
    const host = { imageDirectories, quota: this.#quota, knowledge: this.#knowledge, policy: this.#policy, signal };
    await admit(spec, host, () => this.#kvm.find());
  }

  placeDevices(spec: InstanceSpec, options: { readonly isNew: boolean }): InstanceSpec {
    return placeDevices(spec, options);
  }

  async create(instance: DriverInstance, options: CallOptions & { readonly progress: Progress }): Promise<void> {
    options.progress("preparing disks", 10);
    await this.promiseDisk(instance, 0);
    await createDisks(qemuOptionsOf(instance.spec).disks, this.#with(instance, options));
    options.progress("ready", 100);
  }

  start(instance: DriverInstance, network: InstanceNetwork, options: CallOptions): Promise<RecoveryHandle> {
    return this.#start(instance, network, { ...options, goesOn: false });
  }

  startFromMemory(instance: DriverInstance, network: InstanceNetwork, options: CallOptions): Promise<RecoveryHandle> {
    return this.#start(instance, network, { ...options, goesOn: true });
  }

  async #start(
    instance: DriverInstance,
    network: InstanceNetwork,
    options: CallOptions & { readonly goesOn: boolean },
  ): Promise<RecoveryHandle> {
    const resource = instance.name;
    if ((await findMachineProcess(instance, undefined)) !== undefined) {
      throw failedPrecondition("ALREADY_RUNNING", resource, `${resource} runs already`);
    }
    try {
      return await this.#startNew(instance, network, options);
    } catch (error) {
      await endHardware(instance.directory);
      throw error;
    }
  }

  async #startNew(
    instance: DriverInstance,
    network: InstanceNetwork,
    options: CallOptions & { readonly goesOn: boolean },
  ): Promise<RecoveryHandle> {
    const accelerator = await chooseAccelerator(instance.spec, () => this.#kvm.find());
    await this.promiseDisk(instance, 0);
    if (!options.goesOn) await removeMemoryImage(instance);
    this.#bases.forget(instance);
    const exit = Promise.withResolvers<ProcessExit>();
    const { goesOn } = options;
    const launchOptions = {
      ...this.#with(instance, options),
      ...{ goesOn, accelerator, policy: this.#policy, onExit: exit.resolve },
    };
    const pid = await launch(instance, network, launchOptions);
    this.#machines.forgetEnd(instance);
    await forgetFrozen(instance);
    const identity = await findIdentity(pid);
    if (identity === undefined) throw await toStartFailure(instance, this.#with(instance, options));
    try {
      const machine = await this.#machines.attach(instance, identity, { isNew: !goesOn, exit: exit.promise });
      const answers = await machine.ready(startTimeoutMs, options.signal);
      options.signal.throwIfAborted();
      if (!answers) throw await toStartFailure(instance, this.#with(instance, options));
      if (goesOn) await readMemoryImage(instance, machine, options);
      await this.#beforeRun(machine, instance);
      if (goesOn) await spendMemoryImage(instance);
      await machine.launch(goesOn);
      if (goesOn) await removeMemoryImage(instance);
    } catch (error) {
      await this.#machines.detach(instance);
      await endProcess(identity, stopGraceMs);
      throw error;
    }
    this.#machines.emit(instance, "started", `pid ${pid}, ${accelerator}`);
    return toHandle(identity, accelerator);
  }

  async recover(
    instance: DriverInstance,
    handle: RecoveryHandle | undefined,
    { signal }: CallOptions,
  ): Promise<RecoveryHandle | undefined> {
    const found = await findMachineProcess(instance, handle);
    if (found === undefined) return undefined;
    const { identity, accelerator } = found;
    if (hasMemoryImage(instance)) {
      // It has not run since its memory was written: an agent was killed before it had ended it, or while it started it again.
      await endProcess(identity, stopGraceMs);
      return undefined;
    }
    const machine =
      this.#machines.find(instance) ?? (await this.#machines.attach(instance, identity, { isNew: false }));
    // One that does not answer now runs all the same: the attempt goes on in the background.
    if (await machine.ready(recoverTimeoutMs, signal)) {
      await settleMemoryImage(instance, machine);
      // An earlier agent may have been ended before it did.
      if (await machine.isNew()) await this.#beforeRun(machine, instance);
      await machine.launch();
    }
    return toHandle(identity, accelerator);
  }

  /** A running machine has its taps open; what an agent that was ended has left half done at its devices is settled. */
  async connect(
    instance: DriverInstance,
    _handle: RecoveryHandle,
    network: InstanceNetwork,
    options: CallOptions,
  ): Promise<void> {
    if (this.#machines.find(instance) !== undefined) await this.#devices.settle(instance, network, options);
  }

  async setCarrier(
    instance: DriverInstance,
    _handle: RecoveryHandle,
    { index, up }: { readonly index: number; readonly up: boolean },
  ): Promise<void> {
    const address = instance.spec.nics[index]?.deviceAddress ?? "";
    await this.#machines.get(instance).setLink(nicId(address, index), up);
  }

  async stop(instance: DriverInstance, handle: RecoveryHandle, _options: CallOptions): Promise<void> {
    const found = await findMachineProcess(instance, handle);
    const machine = this.#machines.find(instance);
    machine?.expectEnd();
    if (found !== undefined) {
      await endProcess(found.identity, stopGraceMs);
      if (await isAlive(found.identity)) throw undying(instance);
    }
    await machine?.ended();
  }

  async destroy(instance: DriverInstance, _options: CallOptions): Promise<void> {
    this.#machines.forgetEnd(instance);
    this.#bases.forget(instance);
    await this.#quota.release(instance.uid);
    await removeDisks(instance.directory);
    await removeMemoryImage(instance);
    await removeHardware(instance.directory);
    await removeRunFiles(instance);
  }

  inspect(instance: DriverInstance, handle: RecoveryHandle | undefined, _options: CallOptions): Promise<Observation> {
    return inspectMachine(instance, handle, { machines: this.#machines, bases: this.#bases });
  }

  events(signal: AbortSignal): AsyncIterable<DriverEvent> {
    return this.#machines.events(signal);
  }

  async detach(): Promise<void> {
    await this.#bases.close();
    await this.#machines.detachAll();
  }

  async pause(instance: DriverInstance, _handle: RecoveryHandle, _options: CallOptions): Promise<void> {
    await this.#machines.get(instance).execute("stop");
  }

  async resume(instance: DriverInstance, _handle: RecoveryHandle, _options: CallOptions): Promise<void> {
    await this.#machines.get(instance).execute("cont");
  }

  async reset(instance: DriverInstance, handle: RecoveryHandle): Promise<RecoveryHandle> {
    const machine = this.#machines.get(instance);
    await machine.execute("system_reset");
    // A paused machine would not be seen to start again.
    await machine.execute("cont");
    return handle;
  }

  async requestShutdown(
    instance: DriverInstance,
    _handle: RecoveryHandle,
    { attempt }: CallOptions & { readonly attempt: number },
  ): Promise<void> {
    await this.#machines.get(instance).askToShutDown(attempt);
  }

  async giveUpShutdown(instance: DriverInstance): Promise<void> {
    await this.#machines.find(instance)?.giveUpShutdown();
  }

  async openConsole(
    instance: DriverInstance,
    _handle: RecoveryHandle,
    { port = 0, ...request }: ConsoleRequest,
  ): Promise<ConsoleStream> {
    return this.#machines.get(instance).openConsole(port, request);
  }

  exec(...call: Parameters<Executable["exec"]>): AsyncIterable<ExecOutput> {
    return this.can.detach.exec(...call);
  }

  async kvmWorks(): Promise<boolean> {
    return (await this.#kvm.find()).works;
  }

  machineOf(instance: DriverInstance): Machine {
    return this.#machines.get(instance);
  }

  disksOptions(instance: DriverInstance, options: CallOptions): DisksOptions {
    return this.#with(instance, options);
  }

  get quota(): DiskQuota {
    return this.#quota;
  }

  /** What a machine is given before its CPUs run. */
  async #beforeRun(machine: Machine, { name, spec }: DriverInstance): Promise<void> {
    await assertSelfContained(machine, name);
    await settle(machine, spec);
    await beforeRun({ spec, options: qemuOptionsOf(spec) }, machine, name);
  }

  #with(instance: DriverInstance, { signal }: CallOptions): DisksOptions {
    const { imageDirectories } = this.#options;
    const { access: volumes } = this.#volumes;
    return {
      ...{ imageDirectories, directory: instance.directory, resource: instance.name },
      ...{ digests: this.#digests, volumes, signal },
    };
  }

  /** Machines' disks are thin; each start looks again whether the host still has room. */
  async promiseDisk({ uid, name, spec }: DriverInstance, besidesMib: number): Promise<void> {
    const mib = besidesMib + (await totalDiskMib(qemuOptionsOf(spec).disks, this.#options.imageDirectories));
    if (mib > 0) await this.#quota.promise({ uid, resource: name, mib });
  }
}
