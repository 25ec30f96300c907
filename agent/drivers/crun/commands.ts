import { failedPrecondition } from "../../../lib/errors.js";
import { connectInNetns } from "../containers/connect.js";
import { findIdentity } from "../../../lib/process.js";
import type { FromServer } from "../../network/socket-stream.js";
import type { Connectable } from "../abilities/connect.js";
import type { Detachable } from "../abilities/detach.js";
import { findAccount, loginVariables, openContainerRoot } from "../containers/accounts.js";
import type { CallOptions, DriverInstance, ExecCommand, ExecOutput, Executable, RecoveryHandle } from "../driver.js";
import { type ExecSessionOptions, execDetachedInContainer, execInContainer } from "./exec-session.js";
import type { Privileges } from "./oci-config.js";
import { readStarted } from "./bundle.js";
import type { OciRuntime } from "./oci-runtime.js";

/** What running commands in containers needs. */
export interface CommandsOptions {
  readonly runtime: () => Promise<{ readonly runtime: OciRuntime }>;
  readonly containerId: (instance: DriverInstance) => string;
  readonly privileges: (instance: DriverInstance) => Promise<Privileges>;
}

/** For which command a session is. */
interface SessionOf {
  readonly command: Pick<ExecCommand, "user" | "directory">;
  readonly signal: AbortSignal;
}

/** Runs commands in containers, as those that they were started with run unless the command says otherwise. */
export class ContainerCommands implements Executable, Detachable, Connectable {
  readonly #options: CommandsOptions;

  constructor(options: CommandsOptions) {
    this.#options = options;
  }

  exec(
    instance: DriverInstance,
    _handle: RecoveryHandle,
    command: ExecCommand,
    options: Parameters<Executable["exec"]>[3],
  ): AsyncGenerator<ExecOutput> {
    return this.run(instance, command, options);
  }

  /** Runs a command. The last element is of type "exit". */
  async *run(
    instance: DriverInstance,
    command: ExecCommand,
    { signal, resizes }: Parameters<Executable["exec"]>[3],
  ): AsyncGenerator<ExecOutput> {
    yield* execInContainer({ ...(await this.#session(instance, { command, signal })), command, resizes });
  }

  async execDetached(
    instance: DriverInstance,
    _handle: RecoveryHandle,
    command: Parameters<Detachable["execDetached"]>[2],
    { signal }: CallOptions,
  ): Promise<number> {
    const session = await this.#session(instance, { command, signal });
    return execDetachedInContainer({ ...session, command, resource: instance.name });
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
  get abilities(): { readonly detach: ContainerCommands; readonly connect: ContainerCommands } {
    return { detach: this, connect: this };
  }

  /** What running a command needs besides the command. @throws {ZorError} FAILED_PRECONDITION when the container does not run. */
  async #session(
    instance: DriverInstance,
    { command: { user = "", directory: inside = "" }, signal }: SessionOf,
  ): Promise<Omit<ExecSessionOptions, "command" | "resizes">> {
    const { runtime } = await this.#options.runtime();
    const { directory, name } = instance;
    const containerId = this.#options.containerId(instance);
    const state = await runtime.findState(containerId, signal);
    if (state?.status !== "running") {
      const what = state?.status ?? "gone";
      throw failedPrecondition("NOT_RUNNING", name, `${name} is ${what}; commands run only in running containers`);
    }
    const started = await readStarted(directory);
    const first = await findIdentity(state.pid);
    if (first === undefined) throw failedPrecondition("NOT_RUNNING", name, `${name} has ended; start it first`);
    await using root = await openContainerRoot(first, name);
    const account = await findAccount(root, user === "" ? `${started.user.uid}` : user, name);
    const { uid, gid, additionalGids: moreGids } = account;
    const login = loginVariables(account);
    const identity = {
      ...started,
      ...(user === "" ? {} : { user: { uid, gid, moreGids } }),
      ...(inside === "" ? {} : { workingDirectory: inside }),
      environment: { ...login, ...started.environment, ...(user === "" ? {} : login) },
    };
    return { runtime, containerId, directory, privileges: await this.#options.privileges(instance), identity, signal };
  }
}
