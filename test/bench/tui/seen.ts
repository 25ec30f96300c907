import { setTimeout as delay } from "node:timers/promises";
import xterm from "@xterm/headless";
import type { PtyProgram, TerminalSize } from "../../helpers/pty.js";

/** What a person sees of a program: the screen of a terminal that is fed with all that it writes. */
export class Seen {
  /** Written so far. */
  bytes = 0;
  readonly #terminal;
  #wanted: { readonly text: string; readonly resolve: (atMs: number) => void } | undefined;

  constructor(program: PtyProgram, { columns, rows }: TerminalSize) {
    this.#terminal = new xterm.Terminal({ cols: columns, rows, allowProposedApi: true, scrollback: 0 });
    program.onOutput = (chunk) => {
      const at = performance.now();
      this.bytes += chunk.length;
      this.#terminal.write(chunk, () => this.#look(at));
    };
  }

  /** The moment (performance.now) in which what made a text visible was written. @throws when it is not within the time. */
  async until(text: string, timeoutMs: number): Promise<number> {
    const { promise, resolve } = Promise.withResolvers<number>();
    this.#wanted = { text, resolve };
    this.#look(performance.now());
    const ended = new AbortController();
    const late = delay(timeoutMs, undefined, { signal: ended.signal }).then(() => {
      throw new Error(`"${text}" was not on the screen within ${timeoutMs / 1000} s:\n${this.screen()}`);
    });
    late.catch(() => undefined);
    try {
      return await Promise.race([promise, late]);
    } finally {
      ended.abort();
    }
  }

  screen(): string {
    const buffer = this.#terminal.buffer.active;
    const lines = Array.from({ length: this.#terminal.rows }, (_, row) => buffer.getLine(buffer.viewportY + row));
    return lines.map((line) => line?.translateToString(true) ?? "").join("\n");
  }

  #look(atMs: number): void {
    if (this.#wanted === undefined || !this.screen().includes(this.#wanted.text)) return;
    this.#wanted.resolve(atMs);
    this.#wanted = undefined;
  }
}
