import { logVerbosity, setLogger, setLogVerbosity } from "@grpc/grpc-js";

/** Takes what the library has to say. */
type Take = (text: string) => void;

const nobody: Take = () => undefined;

/**
 * What grpc-js would print by itself goes to `take`; without it, nowhere. It says nothing that errors do not say, and a line of a library
 * among a program's own words helps nobody.
 */
export function takeLibraryLog(take: Take = nobody): void {
  const log = (...parts: unknown[]): void =>
    take(parts.map((part) => (typeof part === "string" ? part : "")).join(" "));
  setLogger({ error: log, info: log, debug: log });
  setLogVerbosity(take === nobody ? logVerbosity.NONE : logVerbosity.ERROR);
}
