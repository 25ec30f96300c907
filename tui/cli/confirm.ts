import { createInterface } from "node:readline/promises";
import { status } from "@grpc/grpc-js";
import { ZorError } from "../../lib/errors.js";
import type { Session } from "./session.js";

/**
 * Shows what would happen and asks whether to go on; resolves to the answer. `yes` (the --yes option) answers for the
 * person. @throws {ZorError} FAILED_PRECONDITION when there is nobody to ask and --yes was not given.
 */
export async function confirm(
  session: Session,
  plan: readonly string[],
  question: string,
  yes: boolean,
): Promise<boolean> {
  if (yes) return true;
  const { terminal, errors, signal } = session.io;
  for (const line of plan) session.note(line);
  if (terminal.input.isTTY !== true || errors.isTTY !== true) {
    throw new ZorError({
      reason: "NOT_CONFIRMED",
      code: status.FAILED_PRECONDITION,
      message: "nothing was changed: there is no terminal to ask on; add --yes to do it without asking",
    });
  }
  const prompt = createInterface({ input: terminal.input, output: errors });
  // readline turns Ctrl-C into an event of its own while it reads.
  const stop = new AbortController();
  prompt.once("SIGINT", () => stop.abort());
  prompt.once("close", () => stop.abort());
  try {
    const answer = await prompt.question(`${question} [y/N] `, { signal: AbortSignal.any([signal, stop.signal]) });
    return /^y(es)?$/i.test(answer.trim());
  } catch {
    session.note("");
    return false;
  } finally {
    prompt.close();
  }
}
