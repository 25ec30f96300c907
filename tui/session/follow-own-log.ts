import { failedPrecondition } from "../../lib/errors.js";
import { followFile } from "../client/own-log.js";
import { readableLogLine } from "../kit/text/json-log-line.js";
import { type LogLine, LogLines } from "../kit/text/log-lines.js";

/** The lines of this program's own log, as they are written. @throws {ZorError} when it has none. */
export async function* followOwnLog(path: string, signal: AbortSignal): AsyncGenerator<LogLine> {
  if (path === "") throw failedPrecondition("NO_OWN_LOG", "log", "this program writes no log; see --log-file");
  const lines = new LogLines();
  for await (const piece of followFile(path, signal)) yield* lines.push(piece).map(readableLogLine);
}
