import { Command } from "commander";
import { version } from "../../lib/program.js";
import { LanguageOption } from "./command.js";

/** Where help goes. */
interface HelpOutput {
  /** Widest line. */
  readonly columns: number;
  readonly write: (text: string) => void;
}

/** The program with the options every command takes, and no command yet. */
export function createProgram({ columns, write }: HelpOutput): Command {
  return new Command("zor")
    .description("One fleet of lab hosts: machines, containers, lans and the cables between them.")
    .version(version, "-V, --version", "print the version")
    .addOption(
      new LanguageOption(
        "--context <name>",
        "hub or agent to talk to (default: $ZOR_CONTEXT, else the current one)",
        "contexts",
      ),
    )
    .option("--timeout <time>", "longest time for each call, such as 10s or 2m (default: 4.5s to look)")
    .option("--request-id <id>", "makes a change safe to repeat: the same id never acts twice")
    .option("-v, --verbose", "show reason, code and causes of errors")
    .helpCommand(false)
    .usage("[options] COMMAND")
    .configureHelp({
      showGlobalOptions: true,
      subcommandTerm: (command) => command.name(),
      helpWidth: columns,
    })
    .configureOutput({
      writeOut: write,
      // Errors are thrown and printed in one place.
      writeErr: () => undefined,
      getOutHelpWidth: () => columns,
    })
    .showSuggestionAfterError(true)
    .exitOverride()
    .addHelpText("after", afterHelp());
}

function afterHelp(): string {
  return `
Names: a resource may be written in full (hosts/alpha/instances/vm1), as HOST/NAME (alpha/vm1), or as NAME alone when
no other host has one of that name.

Examples:
  zor get instances                          every instance of every host
  zor get hosts -o json                      the API's response as proto3 JSON
  zor create link demo alpha/lan1 beta/lan1  a cable between two hosts
  zor describe instance alpha/vm1            all that is known of one
  zor edit link demo                         change it in your editor
  zor console alpha/vm1                      its serial console; Ctrl-] detaches
  zor help exit-codes                        what the exit codes mean`;
}
