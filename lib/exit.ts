import type { Writable } from "node:stream";
import { setImmediate } from "node:timers/promises";

/**
 * Ends the process once everything written to its streams has been handed over. A program that only sets its exit code lives
 * on with any connection that is still being tried: gRPC cannot give up a handshake that is not answered.
 */
export async function exitWhenFlushed(code: number): Promise<never> {
  await Promise.all([process.stdout, process.stderr].map(flushed));
  // That the last write failed is told a turn later.
  await setImmediate();
  process.exit(code);
}

function flushed(stream: Writable): Promise<void> {
  return new Promise((resolve) => {
    if (stream.writableLength === 0 || stream.destroyed) resolve();
    else stream.write("", () => resolve());
  });
}

/**
 * From now on a program whose output cannot be written ends: with code 0 when its reader has left, as head does, else with a word on standard error and
 * code 1, since what it was to write is missing. Nobody reading its errors is no reason to end.
 */
export function tellLostOutput(): void {
  process.stderr.on("error", () => undefined);
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(0);
    process.stderr.write(`zor: not all output was written: ${error.message}\n`);
    process.exit(1);
  });
}
