import { codeOfError, formatError } from "./output/print-error.js";
import type { Session } from "./session.js";

/** Calls in flight at once. */
const parallel = 8;

/**
 * Does something to each name, several at a time. One that fails does not keep the others from being done: its error goes
 * to stderr, and the first failure's code becomes the exit code. With one name the error is thrown as it is.
 */
export async function forEachName(
  session: Session,
  names: readonly string[],
  format: string,
  act: (name: string, part: number | undefined) => Promise<void>,
): Promise<void> {
  const [only] = names;
  if (only !== undefined && names.length === 1) {
    await act(only, undefined);
    return;
  }
  const failures = new Map<number, unknown>();
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let index = next++; index < names.length && !session.io.signal.aborted; index = next++) {
      await act(names[index] ?? "", index).catch((error: unknown) => failures.set(index, error));
    }
  };
  await Promise.all(Array.from({ length: Math.min(parallel, names.length) }, worker));
  for (const [, error] of [...failures].sort(([a], [b]) => a - b)) {
    const verbose = session.options.verbose === true;
    session.io.errors.write(formatError(error, { json: format === "json", verbose, hop: session.hop }));
    session.setExitCode(codeOfError(error));
  }
  session.io.signal.throwIfAborted();
}
