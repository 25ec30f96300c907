import { type Command, Option } from "commander";
import { invalidArgument } from "../../../lib/errors.js";
import { Remembered } from "../../../lib/ssh/questions.js";
import { dryRunOption, outputOption } from "../command.js";
import type { Session } from "../session.js";
import { type RemoteOptions, sudoPrompt } from "./remote.js";
import { usualParallel } from "./run-hosts.js";
import type { Steps } from "./steps.js";

/** Options of every command that works on machines by ssh. */
export interface SharedOptions {
  readonly acceptNew?: boolean;
  readonly passwordStdin?: boolean;
  readonly dryRun?: boolean;
  readonly output: string;
  /** Of commands on many hosts. */
  readonly steps?: boolean;
}

/** Adds the archive that machines are brought to. */
export function withArchive(command: Command): Command {
  return command.option("--archive <file>", "made by npm run package (default: that of this version beside zor)");
}

/** Adds {@link SharedOptions}. */
export function withShared(command: Command): Command {
  return command
    .option("--accept-new", "trust the keys of servers that are not known yet, and keep them")
    .option("--password-stdin", "read the password for sudo from standard input")
    .addOption(dryRunOption("only look, and say what would be done"))
    .addOption(outputOption(["text", "json"], "text"));
}

/** Adds the bound of how many are worked on at a time. */
export function withParallel(command: Command): Command {
  return command
    .addOption(new Option("--max-parallel <count>", "hosts at a time").default(String(usualParallel)))
    .option("--steps", "for programs: each step as a line of JSON; reads pause, resume, cancel (docs/install.md)");
}

/** Options of commands that change many hosts in waves. */
export interface WaveOptions {
  readonly all?: boolean;
  readonly canary: string;
  readonly maxFailures?: string;
  readonly budget?: string;
}

/** Adds {@link WaveOptions}. */
export function withWaves(command: Command): Command {
  return command
    .option("--all", "all hosts that were installed by zor")
    .option("--canary <count>", "so many first, alone; the others only when all of them are well", "0")
    .option("--max-failures <count>", "begin no other host once more than so many have failed (default: go on)")
    .addOption(new Option("--budget <count>", "another word for --max-failures").hideHelp());
}

/** How many hosts are first, and how many may fail. */
export function waveBounds({ canary, maxFailures, budget }: WaveOptions) {
  const most = maxFailures ?? budget;
  return {
    canaries: parseCount("--canary", canary, 0),
    maxFailures: most === undefined ? undefined : parseCount("--max-failures", most, 0),
  };
}

/** Of the help of those commands. */
export const sshNotes = `ssh is used as always: ~/.ssh/config with its jumps, agent, keys and known hosts. On each host the user becomes root with sudo; its password is asked for once, for all hosts, and goes there by standard input alone.

What is done already is not done again: a second run says so, and one that was cut off goes on. Exit codes: 0 all are done, that of the error when one host was named, else 10 and how many failed.`;

/** How hosts are logged in to, and who is asked. @param paused keeps what is drawn away from a question. @param steps asks instead of the terminal. */
export async function remoteOptions(
  session: Session,
  { acceptNew, passwordStdin }: SharedOptions,
  paused: <T>(ask: () => Promise<T>) => Promise<T>,
  steps?: Steps,
): Promise<RemoteOptions> {
  const { SshConfig } = await import("../../../lib/ssh/config.js");
  const { env, signal, terminal } = session.io;
  const { questions: atTerminal, onNote } = session.ssh;
  const person = steps?.questions ?? atTerminal;
  const given = passwordStdin === true ? await firstLine(terminal.input) : undefined;
  const questions =
    person === undefined && given === undefined
      ? undefined
      : new Remembered({
          secret: async (prompt) =>
            prompt === sudoPrompt && given !== undefined ? given : paused(async () => person?.secret(prompt)),
          confirm: async (lines, question) => paused(async () => (await person?.confirm(lines, question)) === true),
        });
  const config = await SshConfig.read({ env });
  const policy = acceptNew === true ? { unknownKeys: "accept-new" as const } : {};
  const doorOptions = { env, signal, questions, ...policy };
  return { config, questions, signal, onNote, doorOptions, ...policy };
}

async function firstLine(input: AsyncIterable<Buffer | string>): Promise<string> {
  let text = "";
  for await (const piece of input) {
    text += piece.toString();
    if (text.includes("\n")) break;
  }
  return text.split("\n")[0] ?? "";
}

/** Reads a number of hosts. @throws {ZorError} INVALID_ARGUMENT. */
export function parseCount(option: string, text: string, least: number): number {
  const count = Number(text);
  if (/^\d{1,4}$/.test(text) && count >= least) return count;
  throw invalidArgument(option, `${text} is not a whole number from ${least} on`);
}
