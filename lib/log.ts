import { writeSync } from "node:fs";
import { type DestinationStream, type Logger, pino } from "pino";
import { takeLibraryLog } from "./grpc/library-log.js";

export type Log = Logger;

const levels: ReadonlySet<string> = new Set(["trace", "debug", "info", "warn", "error", "fatal", "silent"]);

/** Nobody reading it any more, not fast enough, or no room for it must not end a program: what cannot be written is left out. */
export const standardError: DestinationStream = {
  write: (line) => {
    try {
      writeSync(2, line);
    } catch {
      // There is nobody to tell.
    }
  },
};

/**
 * A logger that writes JSON lines to standard error, or to `destination`. What libraries would print goes to it as well.
 * @param program name that stands in every line. Level from ZOR_LOG (default "info").
 */
export function createLog(program: string, destination?: DestinationStream): Log {
  const wanted = process.env["ZOR_LOG"] ?? "info";
  const log = pino(
    {
      name: program,
      level: levels.has(wanted) ? wanted : "info",
      redact: ["token", "*.token", "ticket", "*.ticket", "*.ticketSecret", "keyPem", "*.keyPem"],
    },
    destination ?? standardError,
  );
  takeLibraryLog((text) => log.debug({ text }, "grpc"));
  process.removeAllListeners("warning").on("warning", (warning) => log.warn({ err: warning }, "warning"));
  return log;
}
