import { failedPrecondition } from "../../../lib/errors.js";
import { nothingMore, type OpenLog } from "../../../lib/logs/open-log.js";
import type { FromServer } from "../../network/socket-stream.js";
import type { Connectable } from "../abilities/connect.js";
import type { Detachable } from "../abilities/detach.js";
import type { HasLogs, LogRequest } from "../abilities/logs.js";
import { findAccount, loginVariables, openContainerRoot } from "../containers/accounts.js";
import { connectInNetns } from "../containers/connect.js";
import type { CallOptions, DriverInstance, ExecCommand, ExecOutput, Executable, RecoveryHandle } from "../driver.js";
import type { EngineClient } from "./engine-client.js";
import type { EngineContainers } from "./engine-containers.js";
import { asEngineFailure } from "./engine-error.js";
import { execDetachedInEngine, execInEngine } from "./engine-exec.js";
import { openEngineLog } from "./engine-logs.js";

/** What running commands in an engine's containers needs. */
export interface EngineCommandsOptions {
  readonly client: EngineClient;
  readonly containers: EngineContainers;
}

/** Runs commands in an engine's containers, as those that they were started with run unless the command says otherwise, and connects to them. */
export class EngineCommands implements Executable, Detachable, Connectable, HasLogs {
  readonly sources = ["console"] as const;
  readonly #client: EngineClient;
  readonly #containers: EngineContainers;

  constructor({ client, containers }: EngineCommandsOptions) {
    this.#client = client;
    this.#containers = containers;
  }

  async *exec(
    instance: DriverInstance,
    handle: RecoveryHandle,
    command: ExecCommand,
    options: Parameters<Executable["exec"]>[3],
  ): AsyncGenerator<ExecOutput> {
    const { signal, resizes } = options;
    try {
      const container = await this.#containerOf(instance, signal);
      const asWho = await asUser(command, handle, instance.name);
      yield* execInEngine({ client: this.#client, container, command: asWho, resizes, signal });
    } catch (error) {
      throw asEngineFailure(error, { product: this.#client.product, doing: "run the command" });
    }
  }

  /** Runs a command as its first process would, without terminal and input. */
  async *run(
    instance: DriverInstance,
    command: readonly string[],
    { signal }: CallOptions,
  ): AsyncGenerator<ExecOutput> {
    const container = await this.#containerOf(instance, signal);
    const whole = { command, environment: {}, tty: false, columns: 0, rows: 0, stdin: undefined };
    yield* execInEngine({ client: this.#client, container, command: whole, resizes: undefined, signal });
  }

  async execDetached(
    instance: DriverInstance,
    handle: RecoveryHandle,
    command: Parameters<Detachable["execDetached"]>[2],
    { signal }: CallOptions,
  ): Promise<number> {
    try {
      const container = await this.#containerOf(instance, signal);
      const asWho = await asUser(command, handle, instance.name);
      return await execDetachedInEngine({ client: this.#client, container, command: asWho, signal });
    } catch (error) {
      throw asEngineFailure(error, { product: this.#client.product, doing: "start the command" });
    }
  }

  connect(
    { name: resource }: DriverInstance,
    handle: RecoveryHandle,
    to: Parameters<Connectable["connect"]>[2],
    { signal }: CallOptions,
  ): AsyncIterable<FromServer> {
    return connectInNetns(handle, to, { signal, resource });
  }

  /** What it adds to the driver's abilities. */
  get abilities(): { readonly [A in "exec" | "detach" | "connect" | "logs"]: EngineCommands } {
    return { exec: this, detach: this, connect: this, logs: this };
  }

  async openLog(
    instance: DriverInstance,
    handle: RecoveryHandle | undefined,
    { source: _, port: __, follow, ...request }: LogRequest,
  ): Promise<OpenLog> {
    try {
      const container = await this.#containers.find(instance, request.signal);
      if (container === undefined) return { past: [], live: nothingMore, close: async () => undefined };
      return await openEngineLog(this.#client, container.Id, { ...request, follow: follow && handle !== undefined });
    } catch (error) {
      throw asEngineFailure(error, { product: this.#client.product, doing: "read the log" });
    }
  }

  /** Id of its container. @throws {ZorError} FAILED_PRECONDITION when that does not run. */
  async #containerOf(instance: DriverInstance, signal: AbortSignal): Promise<string> {
    const { name } = instance;
    const { Id: id, State: state } = await this.#containers.get(instance, signal);
    if (state.Running && !state.Paused) return id;
    const what = state.Paused ? "paused" : "not running";
    throw failedPrecondition("NOT_RUNNING", name, `${name} is ${what}; commands run only in running containers`);
  }
}

/** A command with the environment of its user; engines give none but HOME. */
async function asUser<C extends Pick<ExecCommand, "environment" | "user">>(
  command: C,
  handle: RecoveryHandle,
  resource: string,
): Promise<C> {
  const { user = "" } = command;
  if (user === "") return command;
  await using root = await openContainerRoot(handle, resource);
  const login = loginVariables(await findAccount(root, user, resource));
  return { ...command, environment: { ...login, ...command.environment } };
}
