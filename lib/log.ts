import { type DestinationStream, type Logger, pino } from "pino";
import { takeLibraryLog } from "./grpc/library-log.js";

export type Log = Logger;

const levels: ReadonlySet<string> = new Set(["trace", "debug", "info", "warn", "error", "fatal", "silent"]);

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
    destination ?? pino.destination({ fd: 2, sync: true }),
  );
  takeLibraryLog((text) => log.debug({ text }, "grpc"));
  process.removeAllListeners("warning").on("warning", (warning) => log.warn({ err: warning }, "warning"));
  return log;
}
