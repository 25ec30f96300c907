import type { Changeable, FieldChange, SpecChange, Timing } from "../../agent/drivers/abilities/changeable.js";
import type {
  ConsoleStream,
  DriverEvent,
  DriverInstance,
  ExecCommand,
  ExecOutput,
  Executable,
  HasConsole,
  InstanceDriver,
  Observation,
  ObservedState,
  Pausable,
  RecoveryHandle,
  Resettable,
  RunEnd,
  Shutdownable,
} from "../../agent/drivers/driver.js";
import { AsyncQueue } from "../../lib/async-queue.js";
import { failedPrecondition } from "../../lib/errors.js";

/** An instance that "runs" on a fake host: it goes on when the agent ends. */
interface Guest {
  state: ObservedState;
  readonly pid: number;
  directory: string;
  /** What its console has shown since it was started, after {@link FakeDriver.consolePast}. */
  past: string;
}

type Step = "validate" | "create" | "start" | "stop" | "destroy" | "recover" | "pause" | "change" | "suspend";

const acceptedReply = "typed: ";

/** What may be said of a fake driver; default: it is for containers. */
export type FakeDriverOptions = Partial<Pick<InstanceDriver, "kind" | "options" | "network">>;

/**
 * A driver whose instances live in memory. What runs outlives the agent: a second agent with the same object finds it again, as
 * on a real host.
 */
export class FakeDriver
  implements InstanceDriver, Changeable, Pausable, Resettable, Shutdownable, HasConsole, Executable
{
  readonly kind: string;
  readonly options: InstanceDriver["options"];
  readonly network: InstanceDriver["network"];
  takesMemory = false;
  readonly can = {
    pause: this,
    reset: this,
    shutdown: this,
    console: this,
    exec: this,
    change: this,
    suspend: this,
  };
  /** What runs, by uid. */
  readonly guests = new Map<string, Guest>();
  /** Uids with prepared directories. */
  readonly created = new Set<string>();
  /** Calls in the order they were made: "start vm1". */
  readonly calls: string[] = [];
  /** What consoles of suspended guests had shown, by uid. */
  readonly memories = new Map<string, string>();
  /** Changes in the order they were made: "running: cpus". */
  readonly changes: string[] = [];
  /** Those that were written down. */
  readonly finishedChanges: string[] = [];
  /** Consoles that have been opened and not closed. */
  readonly openConsoles = new Map<AsyncQueue<Uint8Array>, string>();
  /** What consoles have shown before they are opened. */
  consolePast = "login: ";
  /** Guests end as soon as they are started. */
  endsAtOnce = false;
  /** How often a guest ignores that it is asked to shut down. */
  deafFor = 0;
  /** Why guests that have ended did. */
  endReason = "";
  /** The same for programs. */
  end: RunEnd | undefined;
  /** When guests that run were started. */
  startTime = (): Date => new Date(1_700_000_000_000);
  readonly #failures = new Map<Step, unknown>();
  readonly #gates = new Map<Step, Promise<void>>();
  readonly #events = new Set<AsyncQueue<DriverEvent>>();
  #nextPid = 100_000;

  constructor(options: FakeDriverOptions = {}) {
    this.kind = options.kind ?? "crun";
    this.options = options.options ?? { case: "crun" };
    this.network = options.network ?? "join";
  }

  /** Makes the next call of a step fail. */
  failNext(step: Step, error: unknown): void {
    this.#failures.set(step, error);
  }

  /** Makes calls of a step wait until the returned function is called, or their signal aborts. */
  hold(step: Step): () => void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#gates.set(step, promise);
    return () => {
      this.#gates.delete(step);
      resolve();
    };
  }

  /** Lets later calls of a held step through, while those that wait already wait for ever: their agent was killed. */
  forgetHold(step: Step): void {
    this.#gates.delete(step);
  }

  /** Ends a guest as if it had shut down or crashed by itself. */
  endGuest(uid: string): void {
    this.guests.delete(uid);
    this.#emit({ uid, type: "exited", message: "" });
  }

  async fingerprint() {
    return [{ id: `driver.${this.kind}`, available: true, version: "fake", reason: "" }];
  }

  async validate(_spec: unknown, { signal }: { signal: AbortSignal }): Promise<void> {
    await this.#step("validate", "", signal);
  }

  async create(instance: DriverInstance, options: Parameters<InstanceDriver["create"]>[1]): Promise<void> {
    options.progress("unpacking", 50);
    await this.#step("create", instance.id, options.signal);
    this.created.add(instance.uid);
  }

  async start(
    instance: DriverInstance,
    _network: unknown,
    { signal }: { signal: AbortSignal },
  ): Promise<RecoveryHandle> {
    await this.#step("start", instance.id, signal);
    const { uid, name } = instance;
    if (this.guests.has(uid)) throw failedPrecondition("ALREADY_RUNNING", name, `${name} runs already`);
    const guest = this.#boot(instance, "");
    this.#emit({ uid, type: "started", message: "" });
    if (this.endsAtOnce) this.guests.delete(uid);
    return handleOf(guest);
  }

  async recover(
    instance: DriverInstance,
    _handle: RecoveryHandle | undefined,
    { signal }: { signal: AbortSignal },
  ): Promise<RecoveryHandle | undefined> {
    await this.#step("recover", instance.id, signal);
    const all = [...this.guests.entries()];
    const found = all.find(([uid, guest]) => uid === instance.uid || guest.directory === instance.directory);
    if (found === undefined) return undefined;
    // Whoever lost the spec knows the guest only by its directory.
    this.guests.delete(found[0]);
    this.guests.set(instance.uid, found[1]);
    return handleOf(found[1]);
  }

  async stop(instance: DriverInstance, _handle: RecoveryHandle, { signal }: { signal: AbortSignal }): Promise<void> {
    await this.#step("stop", instance.id, signal);
    if (this.guests.delete(instance.uid)) this.#emit({ uid: instance.uid, type: "exited", message: "stopped" });
  }

  async destroy(instance: DriverInstance, { signal }: { signal: AbortSignal }): Promise<void> {
    await this.#step("destroy", instance.id, signal);
    this.created.delete(instance.uid);
  }

  async inspect(instance: DriverInstance, _handle: unknown): Promise<Observation> {
    const guest = this.guests.get(instance.uid);
    return {
      state: guest?.state ?? (this.endReason === "" ? "stopped" : "failed"),
      reason: guest === undefined ? this.endReason : "",
      end: guest === undefined ? this.end : undefined,
      pid: guest?.pid ?? 0,
      startTime: guest === undefined ? undefined : this.startTime(),
      accelerator: "",
      execReady: guest?.state === "running",
    };
  }

  async *events(signal: AbortSignal): AsyncIterable<DriverEvent> {
    const queue = new AsyncQueue<DriverEvent>(1000);
    this.#events.add(queue);
    signal.addEventListener("abort", () => queue.end(), { once: true });
    try {
      yield* queue;
    } finally {
      this.#events.delete(queue);
    }
  }

  async detach(): Promise<void> {
    this.calls.push("detach");
  }

  async pause(instance: DriverInstance, _handle: RecoveryHandle, { signal }: { signal: AbortSignal }): Promise<void> {
    await this.#step("pause", instance.id, signal);
    this.#guest(instance).state = "paused";
    this.#emit({ uid: instance.uid, type: "paused", message: "" });
  }

  async resume(instance: DriverInstance): Promise<void> {
    this.calls.push(`resume ${instance.id}`);
    this.#guest(instance).state = "running";
    this.#emit({ uid: instance.uid, type: "resumed", message: "" });
  }

  async reset(instance: DriverInstance): Promise<RecoveryHandle> {
    this.calls.push(`reset ${instance.id}`);
    const guest = this.#boot(instance, this.#guest(instance).past);
    this.#emit({ uid: instance.uid, type: "reset", message: "" });
    return handleOf(guest);
  }

  async requestShutdown(
    instance: DriverInstance,
    _handle: RecoveryHandle,
    { attempt }: { readonly attempt: number },
  ): Promise<void> {
    this.calls.push(`shutdown ${instance.id}`);
    if (attempt >= this.deafFor) this.endGuest(instance.uid);
  }

  async giveUpShutdown(instance: DriverInstance): Promise<void> {
    this.calls.push(`give up ${instance.id}`);
  }

  async suspend(instance: DriverInstance, _handle: unknown, { signal }: { signal: AbortSignal }): Promise<void> {
    await this.#step("suspend", instance.id, signal);
    this.memories.set(instance.uid, this.#guest(instance).past);
    this.guests.delete(instance.uid);
  }

  async isSuspended({ uid }: DriverInstance): Promise<boolean> {
    return this.memories.has(uid);
  }

  async resumeSuspended(
    instance: DriverInstance,
    network: unknown,
    options: { signal: AbortSignal },
  ): Promise<RecoveryHandle> {
    const handle = await this.start(instance, network, options);
    this.#guest(instance).past = this.memories.get(instance.uid) ?? "";
    this.memories.delete(instance.uid);
    return handle;
  }

  async discardSuspended({ uid }: DriverInstance): Promise<void> {
    this.memories.delete(uid);
  }

  /** CPUs and interfaces are changed at once; the root never. */
  timingOf({ path }: FieldChange): Timing {
    if (path.endsWith(".rootfs")) return { when: "never", remedy: "make another one" };
    return path === "cpus" || path.startsWith("nics.") ? { when: "now" } : { when: "next-start" };
  }

  async applyChange(
    instance: DriverInstance,
    handle: RecoveryHandle | undefined,
    { paths }: SpecChange,
    { signal }: { signal: AbortSignal },
  ): Promise<() => Promise<void>> {
    await this.#step("change", instance.id, signal);
    this.changes.push(`${handle === undefined ? "stopped" : "running"}: ${paths.join(" ")}`);
    return async () => void this.changes.push(`back: ${paths.join(" ")}`);
  }

  async finishChange(_instance: DriverInstance, { paths }: SpecChange): Promise<void> {
    this.finishedChanges.push(paths.join(" "));
  }

  async openConsole(
    instance: DriverInstance,
    _handle: RecoveryHandle,
    { replayBytes }: { signal: AbortSignal; replayBytes: number },
  ): Promise<ConsoleStream> {
    const output = new AsyncQueue<Uint8Array>(1000);
    this.openConsoles.set(output, instance.uid);
    const past = this.consolePast + (this.guests.get(instance.uid)?.past ?? "");
    return {
      replay: Buffer.from(replayBytes === 0 ? "" : past.slice(-replayBytes)),
      output,
      // The shell of a real guest takes the quotes away as well.
      write: async (data) => this.#show(instance, acceptedReply + Buffer.from(data).toString().replaceAll("''", "")),
      resize: async (columns, rows) => this.#show(instance, `size ${columns}x${rows}`),
      close: async () => {
        this.openConsoles.delete(output);
        output.end();
      },
    };
  }

  async *exec(
    _instance: DriverInstance,
    _handle: RecoveryHandle,
    { command, stdin }: ExecCommand,
  ): AsyncIterable<ExecOutput> {
    yield { type: "stdout", data: Buffer.from(command.join(" ")) };
    if (stdin !== undefined) for await (const data of stdin) yield { type: "stderr", data };
    yield { type: "exit", code: 3, signal: 0, truncated: false };
  }

  async #step(step: Step, id: string, signal: AbortSignal): Promise<void> {
    this.calls.push(id === "" ? step : `${step} ${id}`);
    const gate = this.#gates.get(step);
    if (gate !== undefined) {
      const aborted = new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
      await Promise.race([gate, aborted]);
    }
    // Whoever aborts right after the call has aborted it.
    await Promise.resolve();
    signal.throwIfAborted();
    if (!this.#failures.has(step)) return;
    const error = this.#failures.get(step);
    this.#failures.delete(step);
    throw error;
  }

  #boot({ uid, directory }: DriverInstance, past: string): Guest {
    this.#nextPid += 1;
    const guest: Guest = { state: "running", pid: this.#nextPid, directory, past };
    this.guests.set(uid, guest);
    return guest;
  }

  #show({ uid }: DriverInstance, text: string): void {
    const guest = this.guests.get(uid);
    if (guest !== undefined) guest.past += text;
    for (const [output, owner] of this.openConsoles) if (owner === uid) output.push(Buffer.from(text));
  }

  #guest(instance: DriverInstance): Guest {
    const guest = this.guests.get(instance.uid);
    if (guest === undefined) throw new Error(`${instance.id} does not run`);
    return guest;
  }

  #emit(event: DriverEvent): void {
    for (const queue of this.#events) queue.push(event);
  }
}

function handleOf(guest: Guest): RecoveryHandle {
  return { pid: guest.pid, startTicks: "1", extra: {} };
}
