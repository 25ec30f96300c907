import type { Command } from "commander";
import { invalidArgument } from "../../../lib/errors.js";
import { runShell } from "../../client/shell.js";
import { shortName } from "../../kit/resource-name.js";
import { escapeText } from "../../kit/text/escape.js";
import { type Registrar, ResourceArgument, withExamples, withNotes } from "../command.js";
import { writerTo } from "../exec-command.js";
import { resolveWord } from "../resolve.js";

interface ShellOptions {
  readonly tty?: boolean;
  readonly stdin: boolean;
}

/** `zor shell HOST [-- COMMAND [ARGUMENT...]]`. */
export function define({ program, open }: Registrar): void {
  defineShell(program, open);
}

/** The same below another command. */
export function defineShell(parent: Command, open: Registrar["open"]): void {
  const command = parent
    .command("shell")
    .description(
      "Open a shell on a host, or run a command there and end with its exit code. Only where the host's own settings allow it (hostShell); admins only, unless they say otherwise.",
    )
    .addArgument(new ResourceArgument("<host>", "host", "host"))
    .argument("[command...]", "command and arguments, after --, in the place of the shell; no shell reads them")
    .option("-t, --tty", "give a command a terminal; a shell has one when this is one")
    .option("-n, --no-stdin", "do not read standard input")
    .action(async (text: string, words: string[], options: ShellOptions) => {
      const session = open(command);
      const { terminal, errors, signal } = session.io;
      const isTerminal = terminal.input.isTTY === true && terminal.output.isTTY === true;
      if (options.tty === true && !isTerminal) {
        throw invalidArgument("--tty", "this is not a terminal; leave -t out");
      }
      const tty = options.tty === true || (words.length === 0 && isTerminal && options.stdin);
      const name = await resolveWord(session, "host", text, undefined);
      const opening = { name, command: words, terminal: tty ? (process.env["TERM"] ?? "") : "" };
      const stdin = options.stdin && (tty || terminal.input.isTTY !== true);
      const exit = await runShell(
        await session.connect(),
        { open: opening, tty, stdin },
        { terminal, signal, stdout: writerTo(terminal.output, tty), stderr: writerTo(errors, tty) },
      );
      signal.throwIfAborted();
      if (exit === undefined) session.note(escapeText(`left the shell of ${shortName(name)}; it ends`));
      else if (exit.reason !== "") session.note(escapeText(`${shortName(name)}: ${exit.reason}`));
      session.setExitCode(exit?.code ?? 0);
    });
  withNotes(
    command,
    `A host gives nobody a shell unless hostShell in the settings of its agent says
so, as whom and to whom; zor describe host and zor doctor there tell. Ctrl-]
leaves a shell that has a terminal; every other key goes to it. It ends with zor
and with the connection, with all that it began. Events of the host tell who
opened it, from where, and how it ended; what was typed and said is in none.
zor session list shows who has one, zor session end ends it.`,
  );
  const words = parent.name() === "zor" ? "zor shell" : `zor ${parent.name()} shell`;
  withExamples(
    command,
    `${words} alpha`,
    `${words} alpha -- df -h /var/lib/zor`,
    `${words} alpha -t -- top`,
    `echo uptime | ${words} alpha`,
  );
}
