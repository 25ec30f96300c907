import { createInterface } from "node:readline/promises";
import { Writable } from "node:stream";
import { Remembered } from "../../lib/ssh/questions.js";
import { escapeText } from "../kit/text/escape.js";
import type { TerminalInput, TerminalOutput } from "./raw-terminal.js";

/** Where a person is asked. */
export interface AskOptions {
  readonly input: TerminalInput;
  readonly errors: TerminalOutput;
  readonly signal: AbortSignal;
}

/** Asks a person at the terminal; undefined when there is none. What is secret is not shown while it is typed. */
export function askAtTerminal({ input, errors, signal }: AskOptions): Remembered | undefined {
  if (input.isTTY !== true || errors.isTTY !== true) return undefined;
  const ask = async (prompt: string, isSecret: boolean): Promise<string | undefined> => {
    const nowhere = new Writable({ write: (_data, _encoding, done) => done() });
    if (isSecret) errors.write(prompt);
    const reader = createInterface({ input, output: isSecret ? nowhere : errors, terminal: true });
    // readline turns Ctrl-C into an event of its own while it reads.
    const stop = new AbortController();
    reader.once("SIGINT", () => stop.abort());
    reader.once("close", () => stop.abort());
    try {
      return await reader.question(isSecret ? "" : prompt, { signal: AbortSignal.any([signal, stop.signal]) });
    } catch {
      return undefined;
    } finally {
      reader.close();
      if (isSecret) errors.write("\n");
    }
  };
  return new Remembered({
    secret: (prompt) => ask(`${escapeText(prompt)}: `, true),
    confirm: async (lines, question) => {
      for (const line of lines) errors.write(`${escapeText(line)}\n`);
      return /^y(es)?$/i.test(((await ask(`${question} [y/N] `, false)) ?? "").trim());
    },
  });
}
