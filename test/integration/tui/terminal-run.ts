import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { eventually } from "../../helpers/eventually.js";
import { childrenOf, Terminal } from "../../helpers/tmux.js";

/** A program in a real terminal. */
export interface Run {
  readonly terminal: Terminal;
  /** Every byte that was written up to the last look at the terminal's settings, which who keeps it may have a moment later. */
  recorded(): Promise<string>;
}

interface RunOptions {
  /** For recordings and settings. */
  readonly directory: string;
  readonly size?: { readonly columns: number; readonly rows: number };
  /** What the shell does when the program has ended, before it looks at the settings. */
  readonly afterwards?: string;
}

const usualSize = { columns: 80, rows: 24 };
let runs = 0;

/** Starts a program between two looks at the terminal's settings; the last line tells whether they are the same. */
export async function startRun(
  program: string,
  { directory, size = usualSize, afterwards = "" }: RunOptions,
): Promise<Run> {
  runs += 1;
  const recording = join(directory, `run${runs}`);
  const settings = (when: string) => `stty -a > ${recording}.${when}`;
  const line = `${settings("before")}; ${program}; code=$?; ${afterwards} echo "code $code"; ${settings("after")}; cmp ${recording}.before ${recording}.after && echo settings kept; sleep 600`;
  const terminal = await Terminal.open(line, size, recording);
  const recorded = () =>
    eventually(async () => {
      const written = await readFile(recording, "utf8");
      if (!written.includes("settings kept")) throw new Error(`it is not over: ${written}`);
      return written;
    });
  return { terminal, recorded };
}

/** A terminal with a shell that has job control. */
export async function openShell(directory: string): Promise<Terminal> {
  runs += 1;
  return Terminal.open("exec bash --norc --noprofile -i", usualSize, join(directory, `run${runs}`));
}

/** The program that a terminal's shell runs. */
export async function pidOf(terminal: Terminal): Promise<number> {
  return eventually(async () => {
    const [pid] = await childrenOf(await terminal.pid());
    if (pid === undefined) throw new Error("the program does not run");
    return pid;
  });
}
