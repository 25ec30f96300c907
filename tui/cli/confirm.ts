import { createInterface } from "node:readline/promises";
import { status } from "@grpc/grpc-js";
import { ZorError } from "../../lib/errors.js";
import { exitCode } from "./exit-codes.js";
import type { Session } from "./session.js";

/** Options of a command that asks before it does something. */
export interface ConfirmOptions {
  /** Answers for the person. */
  readonly yes?: boolean;
  /** Nothing will be changed: what would happen is shown, and nobody asked. */
  readonly dryRun?: boolean;
  /** What has to be typed to go on; default: "y". */
  readonly phrase?: string;
}

/**
 * Shows what would happen and asks whether to go on. Resolves to the answer; after a no the command is over: that nothing was
 * changed is said and the exit code set. @throws {ZorError} FAILED_PRECONDITION when there is nobody to ask and --yes was not given.
 */
export async function confirm(
  session: Session,
  plan: readonly string[],
  question: string,
  { yes = false, dryRun = false, phrase }: ConfirmOptions,
): Promise<boolean> {
  if (yes && !dryRun) return true;
  if (!dryRun) await session.nameContext();
  for (const line of plan) session.note(line);
  if (dryRun || (await ask(session, question, phrase))) return true;
  session.note("nothing was changed");
  session.setExitCode(exitCode.error);
  return false;
}

async function ask(session: Session, question: string, phrase: string | undefined): Promise<boolean> {
  const { terminal, errors, signal } = session.io;
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
    const hint = phrase === undefined ? "[y/N]" : `Type ${phrase} to do it:`;
    const answer = await prompt.question(`${question} ${hint} `, { signal: AbortSignal.any([signal, stop.signal]) });
    return phrase === undefined ? /^y(es)?$/i.test(answer.trim()) : answer.trim() === phrase;
  } catch {
    session.note("");
    return false;
  } finally {
    prompt.close();
  }
}
