import type { Readable, Writable } from "node:stream";
import { understandsEscapes } from "../../lib/terminal.js";
import { TerminalKeeper, terminalSettings } from "./terminal-keeper.js";

/** Where bytes are typed; `isTTY` and `setRawMode` are there when it is a terminal. */
export type TerminalInput = Readable & {
  readonly isTTY?: boolean;
  readonly isRaw?: boolean;
  setRawMode?(raw: boolean): unknown;
};

/** Where output is shown; `columns` and `rows` are there when it is a terminal, which then emits "resize". */
export type TerminalOutput = Writable & {
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
};

/** The terminal (or pipe) a person or program sits at. */
export interface Terminal {
  readonly input: TerminalInput;
  readonly output: TerminalOutput;
}

/**
 * Undoes what a guest may have left on: alternate screen (without moving the cursor), hidden cursor, mouse reports,
 * bracketed paste, application keys, colours, alternate character set.
 */
const leaveGuestModes =
  "\x1b[?1047l\x1b[?25h\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?2004l\x1b[?1l\x1b>\x1b[0m\x1b(B";

/**
 * Puts a terminal into raw mode until disposed; does nothing for pipes. The terminal is also restored when the process
 * exits without disposing.
 */
export function enterRawMode(terminal: Terminal): Disposable {
  const { input, output } = terminal;
  const raw = input.isTTY === true && input.setRawMode !== undefined;
  if (!raw) return { [Symbol.dispose]: () => undefined };
  const before = input.isRaw === true;
  let entered = true;
  const keeper = keeperOf(terminal, before);
  const restore = () => {
    if (!entered) return;
    entered = false;
    process.off("exit", restore);
    if (output.isTTY === true && !output.destroyed && understandsEscapes(process.env)) output.write(leaveGuestModes);
    input.setRawMode?.(before);
    keeper?.[Symbol.dispose]();
  };
  process.on("exit", restore);
  input.setRawMode?.(true);
  keeper?.hold();
  return { [Symbol.dispose]: restore };
}

/** Gives the terminal back when this process is killed; only for its own, and where nobody keeps it already. */
function keeperOf({ input, output }: Terminal, isKept: boolean): TerminalKeeper | undefined {
  if (isKept || input !== process.stdin || output !== process.stdout || !process.stdout.isTTY) return undefined;
  const sequences = understandsEscapes(process.env) ? leaveGuestModes : "";
  return TerminalKeeper.begin({ sequences, words: "" }, terminalSettings({}));
}

/** The terminal's size within the API's limits; undefined for pipes. */
export function terminalSize(output: TerminalOutput): { columns: number; rows: number } | undefined {
  if (output.isTTY !== true) return undefined;
  return { columns: bounded(output.columns, 80), rows: bounded(output.rows, 24) };
}

function bounded(value: number | undefined, fallback: number): number {
  return value === undefined || value < 1 ? fallback : Math.min(value, 1000);
}
