import { mkdirSync, renameSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { pino } from "pino";
import { createLog, type Log } from "../../lib/log.js";
import type { Environment } from "../../lib/terminal.js";
import { userDirectory } from "../../lib/user-directories.js";

/** Larger log files are set aside, replacing the one set aside before. */
const largestBytes = 4 * 1024 * 1024;

/** Where the terminal program logs by default: $XDG_STATE_HOME/zor/tui.log. */
export function defaultLogFile(env: Environment): string {
  return join(userDirectory("state", env), "tui.log");
}

/** What a full disk does not take waits in memory, up to so much; more is not kept. */
const mostWaitingBytes = 256 * 1024;

/**
 * A log in a file that does not grow without bound. A disk that is full later loses lines of it and ends nothing.
 * @throws when the file cannot be opened.
 */
export function openLogFile(path: string): Log {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  if (size > largestBytes) renameSync(path, `${path}.old`);
  const destination = pino.destination({ dest: path, sync: true, mode: 0o600, maxLength: mostWaitingBytes });
  // Nobody's error: without this it would be one that ends the program.
  destination.on("error", () => undefined);
  return createLog("tui", destination);
}
