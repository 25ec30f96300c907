import { AsyncQueue } from "../../../lib/async-queue.js";
import { failedPrecondition } from "../../../lib/errors.js";
import type { Log } from "../../../lib/log.js";
import { type ProcessIdentity, startTimeOf } from "../../../lib/process.js";
import type { ProcessExit } from "../../host/process-exit.js";
import type { PumpClient } from "../../pump/protocol/pump-client.js";
import type { DriverEvent, DriverInstance } from "../driver.js";
import { isUefi } from "./hardware/firmware.js";
import { serialPortsOf } from "./ids.js";
import type { FirstSpeaker } from "./life-signs.js";
import { Machine } from "./machine.js";
import { type EndFacts, type MachineEnd, toMachineEnd } from "./machine-end.js";
import { lastMessage, runDirectoryOf } from "./run-directory.js";

const maxQueuedEvents = 4096;

/** The machines that are observed now, how the others ended, and what happens to them. */
export class Machines {
  readonly #log: Log;
  readonly #running = new Map<string, Machine>();
  readonly #ends = new Map<string, MachineEnd>();
  #events = new AsyncQueue<DriverEvent>(maxQueuedEvents);

  readonly #silentAfterMs: number;
  readonly #pump: PumpClient;

  /** @param options.silentAfterMs milliseconds without a sign of life until a machine is called silent. */
  constructor(options: { readonly log: Log; readonly silentAfterMs: number; readonly pump: PumpClient }) {
    this.#log = options.log;
    this.#pump = options.pump;
    this.#silentAfterMs = options.silentAfterMs;
  }

  find(instance: DriverInstance): Machine | undefined {
    return this.#running.get(instance.uid);
  }

  /** @throws {ZorError} FAILED_PRECONDITION when it does not run. */
  get(instance: DriverInstance): Machine {
    const machine = this.find(instance);
    if (machine !== undefined) return machine;
    throw failedPrecondition("NOT_RUNNING", instance.name, `${instance.name} does not run; start it first`);
  }

  /** How the last run ended; undefined when there was none, or it is forgotten. */
  findEnd(instance: DriverInstance): MachineEnd | undefined {
    return this.#ends.get(instance.uid);
  }

  forgetEnd(instance: DriverInstance): void {
    this.#ends.delete(instance.uid);
  }

  /** Begins to observe a running QEMU. */
  async attach(
    instance: DriverInstance,
    identity: ProcessIdentity,
    options: { readonly isNew: boolean; readonly exit?: Promise<ProcessExit> },
  ): Promise<Machine> {
    const machine = await Machine.attach({
      ...options,
      identity,
      resource: instance.name,
      runDirectory: runDirectoryOf(instance),
      directory: instance.directory,
      serialPorts: instance.spec.driver?.$case === "qemu" ? serialPortsOf(instance.spec.driver.value) : 1,
      pump: this.#pump,
      speaksFirst: findFirstSpeaker(instance),
      startMs: (await startTimeOf(identity))?.getTime() ?? Date.now(),
      silentAfterMs: this.#silentAfterMs,
      log: this.#log,
      onEvent: (type, message) => this.emit(instance, type, message),
      onEnd: (facts) => this.#ended(instance, machine, facts),
    });
    this.#running.set(instance.uid, machine);
    return machine;
  }

  /** Stops observing, without a word about it. */
  async detach(instance: DriverInstance): Promise<void> {
    const machine = this.find(instance);
    this.#running.delete(instance.uid);
    await machine?.detach();
  }

  /** Stops observing all. */
  async detachAll(): Promise<void> {
    const machines = [...this.#running.values()];
    this.#running.clear();
    await Promise.all(machines.map((machine) => machine.detach()));
  }

  emit(instance: DriverInstance, type: string, message: string): void {
    // A full queue means that nobody listens: whoever comes later inspects.
    if (!this.#events.push({ uid: instance.uid, type, message })) this.#log.warn({ type }, "an event was dropped");
  }

  /** Events until the signal aborts, one consumer at a time; those before it came are kept for it. */
  async *events(signal: AbortSignal): AsyncGenerator<DriverEvent> {
    const queue = this.#events;
    const end = () => queue.end();
    signal.addEventListener("abort", end, { once: true });
    if (signal.aborted) end();
    try {
      yield* queue;
    } finally {
      signal.removeEventListener("abort", end);
      this.#events = new AsyncQueue<DriverEvent>(maxQueuedEvents);
    }
  }

  async #ended(instance: DriverInstance, machine: Machine, facts: Omit<EndFacts, "said">): Promise<void> {
    const end = toMachineEnd({ ...facts, said: await lastMessage(instance) });
    // It is known how it has ended before it is gone.
    this.#ends.set(instance.uid, end);
    if (this.#running.get(instance.uid) === machine) this.#running.delete(instance.uid);
    this.emit(instance, "exited", end.reason);
  }
}

function findFirstSpeaker({ spec }: DriverInstance): FirstSpeaker {
  if (spec.driver?.$case !== "qemu") return "guest";
  if (isUefi(spec.driver.value)) return "uefi";
  return spec.driver.value.kernel === "" ? "bios" : "guest";
}
