import { CommanderError } from "commander";
import { invalidArgument, ZorError } from "../../lib/errors.js";
import { quote } from "../../lib/names.js";
import type { Registrar } from "./command.js";
import { commandTable, otherPrograms } from "./command-table.js";
import { exitCode, exitCodeOf, exitCodeTable } from "./exit-codes.js";
import { nearest } from "../../lib/nearest.js";
import { configDirectory } from "../client/contexts.js";
import { createProgram } from "./program.js";
import { codeOfError, formatError } from "./output/print-error.js";
import { type CliIo, type GlobalOptions, Session } from "./session.js";
import { traced } from "./traced.js";
import { commandOf, toUsageError } from "./usage-error.js";

/** Runs one command line (without the program's name) and resolves to its exit code. Never throws. */
export async function runCli(given: readonly string[], io: CliIo): Promise<number> {
  try {
    return await runWords(await withoutAlias(given, io), io);
  } catch (error) {
    io.errors.write(formatError(error, { json: wantsJson(given), verbose: hasFlag(given, "-v", "--verbose") }));
    return codeOfError(error);
  }
}

async function runWords(argv: readonly string[], io: CliIo): Promise<number> {
  const errorFormat = { json: wantsJson(argv), verbose: hasFlag(argv, "-v", "--verbose") };
  let session: Session | undefined;
  const { output } = io.terminal;
  const columns = output.isTTY === true ? (output.columns ?? 80) : 80;
  const program = createProgram({ columns, write: (text) => output.write(text) });
  const args = argv[0] === "help" ? [...argv.slice(1), "--help"] : argv;
  try {
    const [first, topic] = argv;
    if (first === "help" && topic === "exit-codes") {
      io.terminal.output.write(exitCodeHelp());
      return exitCode.ok;
    }
    if (first === "help") checkTopic(topic);
    const registrar: Registrar = {
      program,
      open: (command) => {
        session ??= new Session({ ...io, jsonErrors: errorFormat.json }, command.optsWithGlobals<GlobalOptions>());
        return session;
      },
    };
    await defineCommands(registrar, args);
    return await traced(io.env, `zor ${calledCommand(args) ?? ""}`.trim(), async () => {
      await program.parseAsync([...args], { from: "user" });
      return session?.exitCode ?? exitCode.ok;
    });
  } catch (error) {
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return exitCode.ok;
      const command = commandOf(program, args);
      // It has only subcommands, and none was given.
      const isHelp = error.code === "commander.help";
      io.errors.write(isHelp ? command.helpInformation() : formatError(toUsageError(error, command), errorFormat));
      return exitCode.usage;
    }
    if (session?.isInterruption(error) === true) {
      // What the server says of a cancelled operation is worth telling; that a call was cut short is not.
      if (error instanceof ZorError && error.resource !== undefined) io.errors.write(formatError(error, errorFormat));
      return interruptionCode(io.signal);
    }
    const told = errorFormat.json ? error : await withGuess(session, error);
    io.errors.write(formatError(told, { ...errorFormat, hop: session?.hop }));
    return codeOfError(error);
  } finally {
    await session?.[Symbol.asyncDispose]();
  }
}

/** An error about what is not there, with what may have been meant; what looks for it is loaded only then. */
async function withGuess(session: Session | undefined, error: unknown): Promise<unknown> {
  if (session === undefined || !(error instanceof ZorError) || exitCodeOf(error.code) !== exitCode.notFound)
    return error;
  const { withNearestName } = await import("./suggest-name.js");
  return await withNearestName(session, error);
}

/** A command line with the alias in it, if its first word is one, replaced by what it stands for. */
async function withoutAlias(argv: readonly string[], { env }: CliIo): Promise<readonly string[]> {
  const word = calledCommand(argv);
  if (word === undefined || word === "help" || word === "complete") return argv;
  if (commandTable.some(({ name }) => name === word) || otherPrograms.some(([name]) => name === word)) return argv;
  const { expandAlias } = await import("./aliases.js");
  return await expandAlias(argv, argv.indexOf(word), configDirectory(env));
}

/** Adds every command: the one that is called in full, the others by name for help and suggestions. */
async function defineCommands(registrar: Registrar, args: readonly string[]): Promise<void> {
  const { program } = registrar;
  const called = calledCommand(args);
  for (const entry of commandTable) {
    if (entry.name === called) await (await entry.load()).define(registrar, entry.name);
    else program.command(entry.name).description(entry.summary);
  }
  if (called === "complete") (await import("./commands/complete.js")).define(registrar);
  for (const [name, summary] of otherPrograms) {
    const command = program.command(name).description(summary).helpGroup("Programs:").allowUnknownOption();
    command.allowExcessArguments().action(() => {
      throw invalidArgument("command", `zor ${name} is a program of its own; run it with the zor launcher`);
    });
  }
  program.command("help").description("help for a command, or for: exit-codes").usage("[COMMAND|exit-codes]");
  if (called === undefined) program.action(() => program.outputHelp());
}

/** @throws {ZorError} INVALID_ARGUMENT when there is no help for this word. */
function checkTopic(topic: string | undefined): void {
  if (topic === undefined || topic.startsWith("-")) return;
  if (commandTable.some(({ name }) => name === topic)) return;
  if (otherPrograms.some(([name]) => name === topic)) {
    throw invalidArgument("command", `${topic} is a program of its own; see zor ${topic} --help`);
  }
  const near = nearest(
    topic,
    commandTable.map(({ name }) => name),
  );
  const guess = near === undefined ? "" : `; did you mean ${near}?`;
  throw invalidArgument("command", `there is no help for ${quote(topic)}${guess}; see zor --help`);
}

const optionsWithValue = new Set(["--context", "--timeout", "--request-id"]);

/** The first word that is neither an option nor the value of one. */
function calledCommand(args: readonly string[]): string | undefined {
  for (let index = 0; index < args.length; index++) {
    const word = args[index] ?? "";
    if (optionsWithValue.has(word)) index += 1;
    else if (!word.startsWith("-")) return word;
  }
  return undefined;
}

/** The code for the signal that ended the run. */
function interruptionCode({ reason }: AbortSignal): number {
  if (reason === "SIGTERM") return exitCode.terminated;
  return reason === "SIGHUP" ? exitCode.hungUp : exitCode.interrupted;
}

function exitCodeHelp(): string {
  const lines = exitCodeTable.map(([code, meaning]) => `  ${String(code).padStart(3)}  ${meaning}`);
  return [
    "Exit codes of zor:",
    ...lines,
    "",
    "zor exec ends with the exit code of the command it ran; its own failures use the codes above.",
    "A command on several resources ends with the code of the first that failed; the others are still done.",
    "",
  ].join("\n");
}

function hasFlag(argv: readonly string[], ...flags: readonly string[]): boolean {
  const end = argv.indexOf("--");
  return (end < 0 ? argv : argv.slice(0, end)).some((word) => flags.includes(word));
}

/** Whether errors are wanted as JSON; looked for before parsing, because parsing may be what fails. */
function wantsJson(argv: readonly string[]): boolean {
  if (hasFlag(argv, "-ojson", "-o=json", "--output=json")) return true;
  return argv.some((word, index) => word === "json" && (argv[index - 1] === "-o" || argv[index - 1] === "--output"));
}
