import { failedPrecondition } from "../../../lib/errors.js";
import type { ConsoleRequest, ConsoleStream, HasConsole, RecoveryHandle } from "../driver.js";
import type { DriverInstance } from "../driver-instance.js";
import { DomainConsole } from "./domain-console.js";
import type { DomainAccess } from "./domain-access.js";

/** The consoles of domains, each opened once for all who look at it. */
export class DomainConsoles implements HasConsole {
  readonly #access: DomainAccess;
  readonly #open = new Map<string, Promise<DomainConsole>>();

  constructor(access: DomainAccess) {
    this.#access = access;
  }

  async openConsole(
    instance: DriverInstance,
    _handle: RecoveryHandle,
    { replayBytes, signal }: ConsoleRequest,
  ): Promise<ConsoleStream> {
    const { uri, domain } = await this.#access.find(instance, signal);
    const { name } = instance;
    if (!domain.hasConsole) {
      const remedy = "give it one with: virsh edit (<console type='pty'/>)";
      throw failedPrecondition("NO_CONSOLE", name, `${name} has no console; ${remedy}`);
    }
    // One for each run: that of an earlier one has ended with it.
    const key = `${domain.uuid} ${domain.run ?? 0}`;
    const opening = this.#open.get(key) ?? this.#begin(key, { uri, uuid: domain.uuid, resource: name });
    const console = await opening;
    signal.throwIfAborted();
    return console.open(replayBytes);
  }

  /** Ends all of them; the domains run on. */
  async close(): Promise<void> {
    const all = [...this.#open.values()];
    this.#open.clear();
    for (const opening of all)
      await opening.then(
        (console) => console.close(),
        () => undefined,
      );
  }

  #begin(
    key: string,
    options: { readonly uri: string; readonly uuid: string; readonly resource: string },
  ): Promise<DomainConsole> {
    const forget = (): void => {
      if (this.#open.get(key) === opening) this.#open.delete(key);
    };
    const opening = (async () => {
      const console = new DomainConsole({ ...options, onEnd: forget });
      // Not with one caller's signal: others may wait for the same.
      await console.opened(new AbortController().signal);
      return console;
    })();
    this.#open.set(key, opening);
    opening.catch(forget);
    return opening;
  }
}
