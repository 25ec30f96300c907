import { randomBytes } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { ZorError } from "../../../lib/errors.js";
import type { ExecOutput } from "../driver.js";
import type { GuestAgent } from "./guest-agent.js";
import { findGuestExit, startInGuest, toExit, waitForGuestExit } from "./guest-process.js";
import { cannotStream, endScript, noPipeYet, readScript, runScript } from "./guest-scripts.js";
import { MarkedStream } from "./marked-stream.js";

/** Milliseconds until a pipe that is not there yet is looked for again. */
const pipeRetryMs = 10;
const shell = "/bin/sh";
/** How long cleaning up in a guest may take. */
const endLimitMs = 5000;
/** What a command's end tells when the guest killed what held its pipes. */
const unknownCode = 255;

/** What to run, and for whom. */
export interface GuestStreamOptions {
  readonly command: readonly string[];
  /** "NAME=value"; empty: the agent's own. */
  readonly environment: readonly string[];
  readonly input: Buffer | undefined;
  readonly resource: string;
  readonly signal: AbortSignal;
}

/** The guest has no shell, or lacks a tool, and nothing has been run. */
export class CannotStreamError extends Error {
  override readonly name = "CannotStreamError";
}

/**
 * Runs a command whose output is read in pieces of at most 64 KiB while it runs. The last element is of type "exit". Aborting, or not reading
 * on, ends the command.
 * @throws {CannotStreamError} before the first element; {ZorError} as {@link GuestAgent.execute}.
 */
export async function* guestStream(agent: GuestAgent, options: GuestStreamOptions): AsyncGenerator<ExecOutput> {
  const names = { id: randomName(), markStart: randomName(), markEnd: randomName() };
  const { command, environment, input, resource } = options;
  const args = ["-c", runScript, "zor", names.id, `${names.markStart}-${names.markEnd}`, ...command];
  let pid: number;
  try {
    pid = await startInGuest(agent, { path: shell, args, environment, input, capture: false }, resource);
  } catch (error) {
    if (error instanceof ZorError && error.reason === "GUEST_AGENT_REFUSED") throw new CannotStreamError();
    throw error;
  }
  yield* new Session(agent, names, pid, options).output();
}

/** What tells this command's pipes and their ends from all others. */
interface StreamNames {
  readonly id: string;
  readonly markStart: string;
  readonly markEnd: string;
}

class Session {
  readonly #agent: GuestAgent;
  readonly #names: StreamNames;
  readonly #pid: number;
  readonly #options: GuestStreamOptions;
  /** Readers that have been started and not been seen to end. */
  readonly #readers = new Set<number>();
  /** Exit code of what holds the pipes; undefined while it runs. */
  #holderCode: number | undefined;
  #asking: Promise<void> | undefined;
  /** Exit code of the command; undefined while it runs. */
  #code: number | undefined;

  constructor(agent: GuestAgent, names: StreamNames, pid: number, options: GuestStreamOptions) {
    this.#agent = agent;
    this.#names = names;
    this.#pid = pid;
    this.#options = options;
  }

  async *output(): AsyncGenerator<ExecOutput> {
    try {
      yield* merge([this.#stream("stdout", "o"), this.#stream("stderr", "e")]);
      const truncated = this.#code === undefined;
      yield { type: "exit", ...toExit(this.#code ?? this.#holderCode ?? unknownCode), truncated };
    } finally {
      await this.#end();
    }
  }

  async *#stream(type: "stdout" | "stderr", pipe: "o" | "e"): AsyncGenerator<ExecOutput> {
    const stream = new MarkedStream(this.#names.markStart + this.#names.markEnd);
    for (;;) {
      const piece = await this.#read(pipe);
      // Whatever holds the pipes was killed in the guest.
      if (piece === undefined || piece.length === 0) break;
      const { data, rest } = stream.push(piece);
      if (data.length > 0) yield { type, data };
      if (rest === undefined) continue;
      if (pipe === "o") return;
      const code = /^(\d{1,3})\n/.exec(rest.toString("latin1"))?.[1];
      if (code === undefined) continue;
      this.#code = Number(code);
      return;
    }
    const data = stream.flush();
    if (data.length > 0) yield { type, data };
  }

  /** The next piece of a pipe; empty at its end; undefined when there is no pipe any more. */
  async #read(pipe: "o" | "e"): Promise<Buffer | undefined> {
    const { signal, resource } = this.#options;
    const args = ["-c", readScript, "zor", this.#names.id, pipe];
    for (;;) {
      signal.throwIfAborted();
      const reader = await startInGuest(this.#agent, { path: shell, args, capture: true }, resource);
      this.#readers.add(reader);
      const exit = await waitForGuestExit(this.#agent, reader, { signal, isOver: () => this.#hasHolderEnded() });
      if (exit === undefined) return undefined;
      this.#readers.delete(reader);
      if (exit.code !== noPipeYet) return exit.stdout;
      if (await this.#hasHolderEnded()) return undefined;
      await delay(pipeRetryMs, undefined, { signal });
    }
  }

  async #hasHolderEnded(): Promise<boolean> {
    // Both streams ask, but the guest agent tells only once.
    this.#asking ??= this.#askForHolder().finally(() => {
      this.#asking = undefined;
    });
    await this.#asking;
    if (this.#holderCode === cannotStream) throw new CannotStreamError();
    return this.#holderCode !== undefined;
  }

  async #askForHolder(): Promise<void> {
    this.#holderCode ??= (await findGuestExit(this.#agent, this.#pid))?.code;
  }

  /** Ends what is left of it in the guest, as well as that goes: the guest may no longer answer. */
  async #end(): Promise<void> {
    if (this.#agent.isClosed || this.#holderCode === cannotStream) return;
    const what = this.#code === undefined ? "all" : "rest";
    const args = ["-c", endScript, "zor", this.#names.id, what, ...[this.#pid, ...this.#readers].map(String)];
    const signal = AbortSignal.timeout(endLimitMs);
    try {
      const ending = await startInGuest(this.#agent, { path: shell, args, capture: false }, this.#options.resource);
      // The guest agent keeps each process in mind until it has told how it ended.
      const untold = [ending, ...this.#readers, ...(this.#holderCode === undefined ? [this.#pid] : [])];
      for (const pid of untold) await waitForGuestExit(this.#agent, pid, { signal });
    } catch (error) {
      if (!(error instanceof ZorError) && !signal.aborted) throw error;
    }
  }
}

function randomName(): string {
  return randomBytes(8).toString("hex");
}

/** Elements of several generators, as they come. */
async function* merge<T>(generators: readonly AsyncGenerator<T>[]): AsyncGenerator<T> {
  const step = async (generator: AsyncGenerator<T>) => ({ generator, result: await generator.next() });
  const pending = new Map(generators.map((generator) => [generator, step(generator)]));
  try {
    while (pending.size > 0) {
      const { generator, result } = await Promise.race(pending.values());
      pending.delete(generator);
      if (result.done === true) continue;
      yield result.value;
      pending.set(generator, step(generator));
    }
  } finally {
    // What is still under way fails with the signal, or gives what nobody wants any more.
    for (const rest of pending.values()) rest.catch(() => undefined);
  }
}
