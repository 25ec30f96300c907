import { randomUUID } from "node:crypto";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type {
  Abilities,
  ConsoleStream,
  DriverEvent,
  DriverInstance,
  ExecCommand,
  InstanceDriver,
  RecoveryHandle,
} from "../../../agent/drivers/driver.js";
import type { Subject } from "./subject.js";

const never = new AbortController().signal;

/** Options that most calls take. */
export const callOptions = { signal: never, progress: () => undefined };

/** One instance of a subject with its driver, which can be replaced as by a restart of the agent. */
export class World implements AsyncDisposable {
  readonly subject: Subject;
  readonly instance: DriverInstance;
  readonly imageDirectory: string;
  /** Everything the present driver told. */
  events: DriverEvent[] = [];
  readonly #root: string;
  #driver: InstanceDriver;
  #listening: AbortController;

  private constructor(subject: Subject, root: string) {
    this.subject = subject;
    this.#root = root;
    this.imageDirectory = join(root, "images");
    const uid = subject.uid ?? randomUUID();
    const nic = {
      name: "eth0",
      lan: "lan1",
      mac: "02:00:00:00:00:99",
      addresses: ["10.99.0.2/24"],
      port: "",
      deviceAddress: "",
      model: "",
      queues: 0,
      portSettings: undefined,
    };
    this.instance = {
      name: "hosts/h1/instances/vm1",
      id: "vm1",
      uid,
      spec: subject.toSpec([nic]),
      directory: join(root, "i", "driver"),
    };
    this.#driver = this.#createDriver();
    this.#listening = this.#listen();
  }

  static async make(subject: Subject): Promise<World> {
    const root = await mkdtemp(join(tmpdir(), "zt-"));
    const world = new World(subject, root);
    await mkdir(world.imageDirectory);
    await mkdir(world.instance.directory, { recursive: true, mode: 0o700 });
    return world;
  }

  get driver(): InstanceDriver {
    return this.#driver;
  }

  /** What its instance can be asked for. */
  get can(): Abilities {
    const lacks: readonly string[] = this.subject.lacks ?? [];
    return Object.fromEntries(Object.entries(this.#driver.can).filter(([ability]) => !lacks.includes(ability)));
  }

  /** Replaces the driver by a new one that knows nothing, as when the agent is started again. */
  async restartAgent(): Promise<void> {
    this.#listening.abort();
    await this.#driver.detach();
    this.#driver = this.#createDriver();
    this.events = [];
    this.#listening = this.#listen();
  }

  openConsole(handle: RecoveryHandle, replayBytes = 0): Promise<ConsoleStream> {
    const { console: ability } = this.can;
    if (ability === undefined) throw new Error("the driver has no console");
    return ability.openConsole(this.instance, handle, { signal: never, replayBytes });
  }

  /** Runs a command inside to its end. */
  async exec(
    handle: RecoveryHandle,
    command: Partial<ExecCommand> & Pick<ExecCommand, "command">,
    signal: AbortSignal = never,
  ): Promise<{ stdout: string; stderr: string; code: number }> {
    const { exec: ability } = this.can;
    if (ability === undefined) throw new Error("the driver runs no commands");
    const whole = { environment: {}, tty: false, columns: 80, rows: 24, stdin: undefined, ...command };
    const result = { stdout: "", stderr: "", code: -1 };
    for await (const output of ability.exec(this.instance, handle, whole, { signal })) {
      if (output.type === "exit") result.code = output.code;
      else result[output.type] += Buffer.from(output.data).toString();
    }
    return result;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listening.abort();
    const handle = await this.#driver.recover(this.instance, undefined, callOptions);
    if (handle !== undefined) await this.#driver.stop(this.instance, handle, callOptions);
    await this.#driver.destroy(this.instance, callOptions);
    await this.#driver.detach();
    await rm(this.#root, { recursive: true, force: true });
  }

  #createDriver(): InstanceDriver {
    return this.subject.createDriver({ imageDirectory: this.imageDirectory, stateDirectory: join(this.#root, "s") });
  }

  #listen(): AbortController {
    const listening = new AbortController();
    const events = this.#driver.events(listening.signal);
    const collected = this.events;
    void (async () => {
      for await (const event of events) collected.push(event);
    })();
    return listening;
  }
}

/** Reads a console, its past first, until the text shows and resolves to everything read; rejects when it ends before. */
export async function readUntil(stream: ConsoleStream, text: string): Promise<string> {
  let seen = Buffer.from(stream.replay).toString();
  if (seen.includes(text)) return seen;
  for await (const chunk of stream.output) {
    seen += Buffer.from(chunk).toString();
    if (seen.includes(text)) return seen;
  }
  throw new Error(`the console ended without ${JSON.stringify(text)}; it said ${JSON.stringify(seen.slice(-500))}`);
}
