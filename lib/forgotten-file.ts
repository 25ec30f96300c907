import type { Log } from "./log.js";

/**
 * Whether an uncaught error only tells that a file was not closed before the garbage collector found it: Node closes it then, says so by
 * this error, and would end the process, which nothing but this tell-tale was wrong with. A daemon logs it as the fault it is, and goes on.
 */
export function isForgottenFile(error: unknown): error is Error {
  if (!(error instanceof Error) || !("code" in error) || error.code !== "ERR_INVALID_STATE") return false;
  return /^A (FileHandle|Dir|directory handle) .*closed during garbage collection/i.test(error.message);
}

/** Like {@link isForgottenFile}, and logs it: what a daemon asks of an uncaught error before it ends by it. */
export function isOnlyForgottenFile(error: unknown, log: Log): boolean {
  if (!isForgottenFile(error)) return false;
  log.error({ err: error }, "a fault in the program: a file was left open; it is closed now");
  return true;
}
