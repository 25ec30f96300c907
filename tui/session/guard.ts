import { Console } from "node:console";
import { Writable } from "node:stream";
import type { Log } from "../../lib/log.js";

/** Exit code when the terminal is gone. */
export const hungUpCode = 129;

/** Signals that end the program, with the exit code they give. */
const endings = [
  ["SIGINT", 130],
  ["SIGTERM", 143],
  ["SIGHUP", hungUpCode],
] as const;

/** Exit code after an error nobody caught. */
export const crashedCode = 70;

/**
 * What is left when everything else has restored what it knows of: attributes, character set, mouse reports, bracketed
 * paste, application keys, hidden cursor.
 */
const plainTerminal = "\x1b[0m\x1b(B\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?2004l\x1b[?1l\x1b>\x1b[?25h";

/** What undoes all that the program may have left on, the alternate screen and its margins too, where it could not do so itself. */
export const leftOn = `\x1b[?2026l\x1b[?7h\x1b[?1049l${plainTerminal}`;

/** What ends the program. */
export interface Ending {
  readonly code: number;
  /** Set when the program crashed. */
  readonly error?: unknown;
}

/**
 * Calls `onEnd` on the signals and on errors nobody caught, and leaves the terminal plain when the process exits, whatever
 * the way. A second signal exits at once.
 * @param onInterrupt where lines are said: ctrl-c is for it, and the terminal is sent nothing. Default: it is drawn on.
 */
export function guardTerminal(onEnd: (ending: Ending) => void, onInterrupt?: () => void): void {
  let ending = false;
  const end = (how: Ending): void => {
    if (ending) process.exit(how.code);
    ending = true;
    onEnd(how);
  };
  for (const [signal, code] of endings) {
    process.on(signal, signal === "SIGINT" && onInterrupt !== undefined ? onInterrupt : () => end({ code }));
  }
  process.on("uncaughtException", (error) => end({ code: crashedCode, error }));
  process.on("unhandledRejection", (error) => end({ code: crashedCode, error }));
  // After a hang-up every write fails; that must not hide the reason for the end.
  process.stdout.on("error", () => end({ code: hungUpCode }));
  process.stdin.on("error", () => end({ code: hungUpCode }));
  process.on("exit", () => {
    if (process.stdin.isTTY && process.stdin.isRaw) process.stdin.setRawMode(false);
    if (onInterrupt === undefined && process.stdout.isTTY && process.stdout.writable)
      process.stdout.write(plainTerminal);
  });
}

/** Sends everything that would be printed behind the screen's back to the log; it has warnings and library logs already. */
export function silence(log: Log): void {
  const sink = new Writable({
    decodeStrings: false,
    write: (chunk: unknown, _encoding, done) => {
      log.info({ text: String(chunk).trimEnd() }, "console");
      done();
    },
  });
  const { log: print, info, warn, error, debug, trace, dir, table } = new Console({ stdout: sink, stderr: sink });
  Object.assign(console, { log: print, info, warn, error, debug, trace, dir, table });
}
