import type { GuestAgent } from "./guest-agent.js";

/** From this time on a guest is also given ctrl-alt-del: some 15 s after it was asked first. */
const keyboardAttempt = 8;
const controlAltDelete = ["ctrl", "alt", "delete"].map((data) => ({ type: "qcode", data }));

/** Asking a guest to shut down, by every means it may hear. */
export class ShutdownRequest {
  readonly #execute: (command: string, args?: Record<string, unknown>) => Promise<unknown>;
  /** What a restart of the guest does: the machine begins again, or ends. Undefined until set. */
  #restart: "reset" | "shutdown" | undefined;
  #isAsked = false;

  /** @param execute runs a QMP command. */
  constructor(execute: (command: string, args?: Record<string, unknown>) => Promise<unknown>) {
    this.#execute = execute;
  }

  /** The guest has been asked, and that was not given up. */
  get isAsked(): boolean {
    return this.#isAsked;
  }

  /**
   * Asks. The first time by the guest's agent, or the power button where none answers; then by both. A guest that has neither an agent nor an
   * ear for its power button may still restart in good order on ctrl-alt-del, and a restart counts as the end then.
   * @throws {ZorError} when no means could be used.
   */
  async ask(attempt: number, agent: GuestAgent | undefined): Promise<void> {
    const failures: unknown[] = [];
    this.#isAsked = true;
    const tryTo = async (ask: () => Promise<unknown>): Promise<boolean> => {
      try {
        await ask();
        return true;
      } catch (error) {
        failures.push(error);
        return false;
      }
    };
    const told = agent !== undefined && (await tryTo(() => agent.send("guest-shutdown", { mode: "powerdown" })));
    if (told && attempt === 0) return;
    const pressed = await tryTo(() => this.#execute("system_powerdown"));
    if (!told && attempt >= keyboardAttempt && (await tryTo(() => this.#setRestart("shutdown")))) {
      await tryTo(() => this.#execute("send-key", { keys: controlAltDelete }));
    }
    if (!told && !pressed) throw failures[0];
  }

  /** Nobody asks any more: a restart is one again. Idempotent. */
  async giveUp(): Promise<void> {
    this.#isAsked = false;
    await this.#setRestart("reset");
  }

  async #setRestart(action: "reset" | "shutdown"): Promise<void> {
    if (this.#restart === action) return;
    await this.#execute("set-action", { reboot: action });
    this.#restart = action;
  }
}
