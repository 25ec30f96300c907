import { once } from "node:events";
import { createInterface, type Interface } from "node:readline";
import { Remembered } from "../../../lib/ssh/questions.js";
import type { CliIo } from "../session.js";
import type { BoardRow, HostBoard } from "./board.js";

/** What became of a host. */
export interface Outcome {
  readonly host: string;
  readonly result: string;
  readonly changed: boolean;
  readonly seconds: number;
  readonly notes: readonly string[];
  readonly error: string;
}

/** Bounds of a run, as they are told. */
interface Begins {
  readonly hosts: readonly string[];
  readonly canaries: number;
  readonly maxParallel: number;
  /** Undefined: one that fails keeps no other. */
  readonly maxFailures: number | undefined;
}

/**
 * A run on hosts for a program that looks on: what happens is told as lines of JSON on standard output; standard input takes "pause", "resume",
 * "cancel", and to questions "answer TEXT" or "decline".
 */
export class Steps implements HostBoard {
  readonly questions: Remembered;
  readonly #io: CliIo;
  readonly #reader: Interface;
  readonly #news = new EventTarget();
  #isPaused = false;
  #isCancelled = false;
  /** Nobody says anything any more. */
  #isClosed = false;
  #answer: ((text: string | undefined) => void) | undefined;

  constructor(io: CliIo) {
    this.#io = io;
    this.#reader = createInterface({ input: io.terminal.input });
    this.#reader.on("line", (line) => this.#take(line));
    this.#reader.once("close", () => {
      this.#isClosed = true;
      this.#answer?.(undefined);
      // Nobody would have it go on.
      this.#isCancelled ||= this.#isPaused;
      this.#news.dispatchEvent(new Event("change"));
    });
    const ask = async (asks: object): Promise<string | undefined> => {
      if (this.#isClosed) return undefined;
      const { promise, resolve } = Promise.withResolvers<string | undefined>();
      this.#answer = resolve;
      this.#tell(asks);
      return await promise;
    };
    this.questions = new Remembered({
      secret: (prompt) => ask({ asks: "secret", prompt }),
      confirm: async (lines, prompt) => /^y(es)?$/i.test((await ask({ asks: "confirm", prompt, lines })) ?? ""),
    });
  }

  begins(what: Begins): void {
    this.#tell({ begins: what });
  }

  add(name: string): BoardRow {
    return { name, step: "waits", seconds: 0, result: "" };
  }

  step(row: BoardRow, step: string): void {
    if (row.step === step) return;
    row.step = step;
    this.#tell({ host: row.name, step });
  }

  done(row: BoardRow, result: string, seconds: number): void {
    row.result = result;
    row.seconds = seconds;
  }

  outcome(outcome: Outcome): void {
    this.#tell(outcome);
  }

  async pausedFor<T>(ask: () => Promise<T>): Promise<T> {
    return await ask();
  }

  /** Waits while it is paused. Resolves to whether another host may be begun. */
  async mayBegin(signal: AbortSignal): Promise<boolean> {
    while (this.#isPaused && !this.#isCancelled && !signal.aborted)
      await once(this.#news, "change", { signal }).catch(() => undefined);
    return !this.#isCancelled;
  }

  [Symbol.dispose](): void {
    this.#reader.close();
  }

  #take(line: string): void {
    const [word = ""] = line.split(" ", 1);
    if (word === "answer" || word === "decline") {
      const answer = this.#answer;
      this.#answer = undefined;
      answer?.(word === "answer" ? line.slice("answer ".length) : undefined);
    } else if (word === "pause" || word === "resume") {
      this.#isPaused = word === "pause";
      this.#tell({ paused: this.#isPaused });
    } else if (word === "cancel") {
      this.#isCancelled = true;
      this.#tell({ cancelled: true });
    }
    this.#news.dispatchEvent(new Event("change"));
  }

  #tell(what: object): void {
    this.#io.terminal.output.write(`${JSON.stringify(what)}\n`);
  }
}
