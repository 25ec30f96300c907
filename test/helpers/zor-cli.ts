import { PassThrough, Writable } from "node:stream";
import { runCli } from "../../tui/cli/run.js";
import type { TerminalInput } from "../../tui/client/raw-terminal.js";

/** How a command line is run. */
export interface CliOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Standard input; it ends after this. Default: it ends at once. */
  readonly input?: string;
  /** Width of the terminal on all three streams; default: there is no terminal. */
  readonly columns?: number;
}

/** What a command line did. */
export interface CliResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command line that is running in this process. */
export class CliRun {
  readonly input: FakeInput;
  readonly stdout: FakeOutput;
  readonly stderr: FakeOutput;
  readonly result: Promise<CliResult>;
  readonly #abort = new AbortController();

  constructor(argv: readonly string[], options: CliOptions = {}) {
    this.input = new FakeInput(options.columns !== undefined);
    this.stdout = new FakeOutput(options.columns);
    this.stderr = new FakeOutput(options.columns);
    if (options.columns === undefined || options.input !== undefined) this.input.end(options.input ?? "");
    const io = {
      terminal: { input: this.input, output: this.stdout },
      errors: this.stderr,
      env: { ...options.env },
      signal: this.#abort.signal,
    };
    this.result = runCli(argv, io).then((code) => ({ code, stdout: this.stdout.text, stderr: this.stderr.text }));
  }

  /** As Ctrl-C or SIGTERM does. */
  interrupt(signal: "SIGINT" | "SIGTERM" = "SIGINT"): void {
    this.#abort.abort(signal);
  }
}

/** Output that is kept; a terminal when it has columns. */
class FakeOutput extends Writable {
  text = "";
  readonly isTTY: boolean;
  columns = 80;
  readonly rows = 24;
  readonly #waiting = new Set<() => void>();

  constructor(columns: number | undefined) {
    super();
    this.isTTY = columns !== undefined;
    if (columns !== undefined) this.columns = columns;
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString("utf8");
    for (const look of this.#waiting) look();
    done();
  }

  /** Resolves when the output holds a text. @throws {Error} with the output after a minute. */
  async sees(text: string | RegExp): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const look = (): void => {
      if (typeof text === "string" ? this.text.includes(text) : text.test(this.text)) resolve();
    };
    this.#waiting.add(look);
    const timer = setTimeout(() => reject(new Error(`no ${String(text)} in: ${this.text}`)), 60_000);
    look();
    await promise.finally(() => {
      clearTimeout(timer);
      this.#waiting.delete(look);
    });
  }
}

/** Input that remembers raw mode. */
class FakeInput extends PassThrough implements TerminalInput {
  isRaw = false;
  readonly isTTY: boolean;

  constructor(isTTY: boolean) {
    super();
    this.isTTY = isTTY;
  }

  setRawMode(raw: boolean): void {
    this.isRaw = raw;
  }
}
