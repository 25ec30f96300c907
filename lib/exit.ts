import type { Writable } from "node:stream";

/**
 * Ends the process once everything written to its streams has been handed over. A program that only sets its exit code lives
 * on with any connection that is still being tried: gRPC cannot give up a handshake that is not answered.
 */
export async function exitWhenFlushed(code: number): Promise<never> {
  await Promise.all([process.stdout, process.stderr].map(flushed));
  process.exit(code);
}

function flushed(stream: Writable): Promise<void> {
  return new Promise((resolve) => {
    if (stream.writableLength === 0 || stream.destroyed) resolve();
    else stream.write("", () => resolve());
  });
}
