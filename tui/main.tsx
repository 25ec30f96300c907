import { join } from "node:path";
import { Command } from "commander";
import { messageOf } from "../lib/errors.js";
import { tellLostOutput } from "../lib/exit.js";
import { compileAddressPattern } from "../lib/net/address-pattern.js";
import { version } from "../lib/program.js";
import { understandsEscapes } from "../lib/terminal.js";
import { usageErrorOutput } from "../lib/usage-error-output.js";
import { userDirectory } from "../lib/user-directories.js";
import { exitCode } from "./cli/exit-codes.js";
import { codeOfError, formatError } from "./cli/output/print-error.js";
import { configDirectory, listContexts } from "./client/contexts.js";
import { askAtTerminal } from "./client/questions.js";
import { tuiKinds } from "./kinds/index.js";
import { contextsIn } from "./kit/hubs.js";
import { KindTable } from "./kit/kind-table.js";
import { escapeText } from "./kit/text/escape.js";
import { ContextOpener } from "./session/context-opener.js";
import { defaultLogFile, openLogFile } from "./session/log-file.js";
import type { OtherContexts } from "./session/make-program.js";
import { runTui } from "./session/run-tui.js";
import { Remembered } from "./settings/remembered.js";
import { Settings } from "./settings/settings.js";

/** Names of contexts are read again when they are asked for so long after. */
const namesMs = 1000;

interface Flags {
  readonly context?: string;
  readonly readOnly?: boolean;
  readonly host?: string;
  readonly first?: string;
  readonly ascii?: boolean;
  readonly plain?: boolean;
  readonly printKeymap?: boolean;
  readonly logFile?: string;
}

const examples = `
Keys:
  ?  every key      :  command line      /  filter      enter  open      esc  back      q  quit

Examples:
  $ zor tui                          the hub of the current context
  $ zor tui --context demo           another one (zor context list shows them)
  $ zor tui --context paris,rome     two hubs in one view
  $ zor tui --host alpha             begin with the instances of one host
  $ zor tui --first pulse            begin with how the fleet is; any line of the command line will do
  $ zor tui --read-only              only look: no key changes anything
  $ zor tui --plain                  in lines, for screen readers; help there says what can be said
  $ printf 'hosts\\nquit\\n' | zor tui --plain

Environment: ZOR_CONTEXT (context), ZOR_TUI_FIRST (as --first), NO_COLOR (no colours), ZOR_ASCII=1 (no symbols),
ZOR_LOG (log level).`;

const program = new Command("zor tui")
  .description("Watch and run a fleet of lab hosts in the terminal.")
  .option(
    "-c, --context <names>",
    "hub or agent to talk to, or several (paris,rome); default: $ZOR_CONTEXT, else the current one",
  )
  .option("-r, --read-only", "bind no key that changes anything")
  .option("--host <host>", "begin with the instances of this host")
  .option("--first <line>", 'what to do first, as typed after ":"; default: $ZOR_TUI_FIRST, else a table')
  .option("--ascii", "draw with ASCII only; default when the locale is not UTF-8")
  .option(
    "--plain",
    "say lines and draw nothing, for screen readers, scripts and\nterminals that cannot be drawn on; default where TERM is dumb or not set",
  )
  .option("--print-keymap", "print every key that can be bound, in the form of keys.yaml, and end")
  .option("--log-file <file>", `where to log; default: ${defaultLogFile(process.env)}`)
  .version(version)
  .addHelpText("after", examples)
  .allowExcessArguments(false)
  .configureOutput(usageErrorOutput("zor tui"))
  .exitOverride((error) => process.exit(error.exitCode === 0 ? exitCode.ok : exitCode.usage))
  .action((flags: Flags) => main(flags));

async function main(flags: Flags): Promise<void> {
  if (flags.printKeymap === true) {
    await printKeymap();
    return;
  }
  if (flags.plain !== true && !(process.stdin.isTTY && process.stdout.isTTY)) {
    process.stderr.write(
      "zor tui: needs a terminal on stdin and stdout; in scripts use: zor get instances -o json, or zor tui --plain\n",
    );
    process.exitCode = exitCode.usage;
    return;
  }
  const isPlain = flags.plain === true || !understandsEscapes(process.env);
  compileAddressPattern();
  let connections: ContextOpener | undefined;
  try {
    const logFile = flags.logFile ?? defaultLogFile(process.env);
    const log = openLogFile(logFile);
    const names = contextsIn(flags.context ?? process.env["ZOR_CONTEXT"] ?? "");
    const questions = askAtTerminal({
      input: process.stdin,
      errors: process.stderr,
      signal: new AbortController().signal,
    });
    const opener = new ContextOpener(process.env, new KindTable(tuiKinds).log?.kind);
    connections = opener;
    const first = await opener.open(names, questions);
    const run = isPlain ? (await import("./session/run-plain.js")).runPlain : runTui;
    const ending = await run({
      session: { ...first.session, readOnly: flags.readOnly === true },
      gateway: first.gateway,
      contexts: await otherContexts(first.session.context, opener),
      log,
      logFile,
      host: flags.host,
      first: flags.first ?? process.env["ZOR_TUI_FIRST"] ?? "",
      ascii: flags.ascii === true,
      settings: new Settings(settingsDirectory()),
      remembered: await Remembered.open(join(userDirectory("state", process.env), "tui.json")),
    });
    if (ending.error !== undefined) {
      process.stderr.write(`zor tui: crashed: ${messageOf(ending.error)}; what happened is in ${logFile}\n`);
    }
    process.exit(ending.code);
  } catch (error) {
    process.stderr.write(formatError(error, { json: false, verbose: false }));
    process.exitCode = codeOfError(error);
  } finally {
    connections?.close();
  }
}

/** The contexts of the user, each opened when it is gone to for the first time. Whoever asks for their names has them read again for the next one. */
async function otherContexts(name: string, opener: ContextOpener): Promise<OtherContexts> {
  let [names, readMs]: [readonly string[], number] = [[], 0];
  const look = async (): Promise<void> => {
    readMs = performance.now();
    const { contexts } = await listContexts(configDirectory(process.env));
    names = [...new Set([...contextsIn(name), ...contexts.map((context) => context.name)])];
  };
  await look();
  return {
    list: () => {
      // What cannot be read now is told to whoever goes there.
      if (performance.now() - readMs > namesMs) look().catch(() => undefined);
      return names;
    },
    look,
    open: (wanted) => opener.open(contextsIn(wanted), undefined),
    openAgent: (from, place, signal) => opener.openAgent(from, place, signal),
  };
}

/** Every key, as it is with the settings of the user; what is wrong with those is told beside it. */
async function printKeymap(): Promise<void> {
  tellLostOutput();
  const [{ bareProgram }, { keyFaults, keymapText }] = await Promise.all([
    import("./session/bare-program.js"),
    import("./app/keymap-text.js"),
  ]);
  const settings = new Settings(settingsDirectory());
  const faults = await settings.look();
  const bare = bareProgram(settings);
  for (const fault of [...faults, ...(await keyFaults(bare))]) process.stderr.write(`zor tui: ${escapeText(fault)}\n`);
  process.stdout.write(keymapText(bare));
}

function settingsDirectory(): string {
  return join(configDirectory(process.env), "tui");
}

// The launcher passes its own first word on.
const words = process.argv.slice(process.argv[2] === "tui" ? 3 : 2);
void program.parseAsync(words, { from: "user" });
