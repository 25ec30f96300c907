import { randomBytes } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { ZorError } from "../../../lib/errors.js";
import { timeLimit } from "../../../lib/time-limit.js";
import type { ExecOutput } from "../driver.js";
import type { GuestAgent } from "./guest-agent.js";
import { findGuestExit, startInGuest, toExit, waitForGuestExit } from "./guest-process.js";
import {
  cannotStream,
  endInputScript,
  endScript,
  noPipeYet,
  readScript,
  resizeScript,
  runScript,
  sweepScript,
  writeScript,
} from "./guest-scripts.js";
import { MarkedStream } from "./marked-stream.js";
import { Pace } from "./pace.js";

/** Milliseconds until a pipe that is not there yet is looked for again. */
const pipeRetryMs = 10;
const shell = "/bin/sh";
/** How long cleaning up in a guest may take. */
const endLimitMs = 5000;
/** What a command's end tells when the guest killed what held its pipes. */
const unknownCode = 255;

/** Input is passed on in pieces of this size at most: each is a message to the guest agent. */
const inputPieceBytes = 256 * 1024;
/** What the names of pipes begin with that this process has made: others are of an agent that is no more. */
const streamPrefix = randomBytes(4).toString("hex");

/** What to run, and for whom. */
export interface GuestStreamOptions {
  /** The command line, given the id of the pipes. */
  readonly command: (id: string) => readonly string[];
  /** "NAME=value". */
  readonly environment: readonly string[];
  readonly input: AsyncIterable<Uint8Array> | undefined;
  /** Sizes of the command's terminal. */
  readonly resizes?: AsyncIterable<{ readonly columns: number; readonly rows: number }> | undefined;
  readonly resource: string;
  readonly signal: AbortSignal;
}

/** The command has ended, or closed its input. */
class TakesNoMoreError extends Error {
  override readonly name = "TakesNoMoreError";
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
  const names = { id: streamPrefix + randomName(), markStart: randomName(), markEnd: randomName() };
  const { command, environment, input, resource } = options;
  const mark = `${names.markStart}-${names.markEnd}`;
  const kind = input === undefined ? "-" : "i";
  const args = ["-c", runScript, "zor", names.id, mark, kind, ...command(names.id)];
  let pid: number;
  try {
    pid = await startInGuest(agent, { path: shell, args, environment, capture: false }, resource);
  } catch (error) {
    if (error instanceof ZorError && error.reason === "GUEST_AGENT_REFUSED") throw new CannotStreamError();
    throw error;
  }
  yield* new Session(agent, names, pid, options).output();
}

/** Ends the commands that an agent which is no more ran in a guest, as well as that goes. */
export async function endForeignStreams(agent: GuestAgent, resource: string): Promise<void> {
  const args = ["-c", sweepScript, "zor", streamPrefix];
  try {
    const pid = await startInGuest(agent, { path: shell, args, capture: false }, resource);
    await waitForGuestExit(agent, pid, { signal: timeLimit(endLimitMs) });
  } catch (error) {
    // It has no shell, or its clock stands: commands can be run all the same, or their callers are told.
    if (error instanceof Error) return;
    throw error;
  }
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
  /** Readers and writers that have been started and not been seen to end. */
  readonly #readers = new Set<number>();
  readonly #pace = new Pace();
  /** Aborts when the command has ended: nobody takes its input any more. */
  readonly #over = new AbortController();
  /** Aborts when input is lost on its way: the command would wait for it for ever. */
  readonly #lost = new AbortController();
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
    const { input, resizes } = this.#options;
    if (input !== undefined) this.#feed(input).catch((error: unknown) => this.#lose(error));
    // A terminal of another size is a convenience: whatever has befallen the guest shows in the output.
    if (resizes !== undefined) this.#follow(resizes).catch(() => undefined);
    try {
      yield* merge([this.#stream("stdout", "o"), this.#stream("stderr", "e")]);
      const truncated = this.#code === undefined;
      yield { type: "exit", ...toExit(this.#code ?? this.#holderCode ?? unknownCode), truncated };
    } finally {
      this.#over.abort();
      await this.#end();
    }
  }

  #lose(error: unknown): void {
    // What a command does not take is not lost.
    if (!(error instanceof TakesNoMoreError) && !this.#over.signal.aborted) this.#lost.abort(error);
  }

  /** Passes the input on: what comes while a piece is under way makes the next one. */
  async #feed(input: AsyncIterable<Uint8Array>): Promise<void> {
    let waiting: Uint8Array[] = [];
    let bytes = 0;
    let writing: Promise<void> | undefined;
    const flush = async (): Promise<void> => {
      while (bytes > 0) {
        const all = Buffer.concat(waiting);
        [waiting, bytes] = [[], 0];
        for (let at = 0; at < all.length; at += inputPieceBytes)
          await this.#write(all.subarray(at, at + inputPieceBytes));
      }
      writing = undefined;
    };
    for await (const data of input) {
      waiting.push(data);
      bytes += data.length;
      if (writing === undefined) {
        writing = flush();
        // A command that takes no more is seen when the next piece is to be written.
        writing.catch(() => undefined);
      }
      if (bytes >= inputPieceBytes) await writing;
    }
    await writing;
    await this.#order([endInputScript, this.#names.id]);
  }

  async #write(piece: Buffer): Promise<void> {
    await this.#order([writeScript, this.#names.id], piece);
    this.#pace.hurry();
  }

  async #follow(sizes: AsyncIterable<{ readonly columns: number; readonly rows: number }>): Promise<void> {
    for await (const { columns, rows } of sizes) {
      await this.#order([resizeScript, this.#names.id, String(columns), String(rows)]);
    }
  }

  /** Runs a script on the pipes, which may not be there yet. @throws {TakesNoMoreError} when it fails. */
  async #order([script, ...words]: readonly [string, ...string[]], input?: Buffer): Promise<void> {
    const signal = AbortSignal.any([this.#options.signal, this.#over.signal]);
    for (;;) {
      signal.throwIfAborted();
      const request = { path: shell, args: ["-c", script, "zor", ...words], input, capture: false };
      const pid = await startInGuest(this.#agent, request, this.#options.resource);
      this.#readers.add(pid);
      const exit = await waitForGuestExit(this.#agent, pid, { signal, pace: this.#pace });
      this.#readers.delete(pid);
      if (exit?.code === 0) return;
      if (exit?.code !== noPipeYet) throw new TakesNoMoreError("the command takes no more");
      await delay(pipeRetryMs, undefined, { signal });
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
    const { resource } = this.#options;
    const signal = AbortSignal.any([this.#options.signal, this.#lost.signal]);
    const args = ["-c", readScript, "zor", this.#names.id, pipe];
    for (;;) {
      signal.throwIfAborted();
      const reader = await startInGuest(this.#agent, { path: shell, args, capture: true }, resource);
      this.#readers.add(reader);
      const exit = await waitForGuestExit(this.#agent, reader, {
        signal,
        isOver: () => this.#hasHolderEnded(),
        pace: this.#pace,
      });
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
    const signal = timeLimit(endLimitMs);
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
