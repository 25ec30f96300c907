import { kindNamed } from "../../../lib/kinds/kinds.js";
import { invalidArgument } from "../../../lib/errors.js";
import { type Registrar, ResourceArgument, repeatable, withExamples } from "../command.js";
import { execCommand } from "../exec-command.js";
import { exitCode } from "../exit-codes.js";
import { parsePairs } from "../../kit/input/key-values.js";
import { resolveName } from "../resolve.js";

interface ExecOptions {
  readonly host?: string;
  readonly tty?: boolean;
  readonly stdin: boolean;
  readonly env: readonly string[];
}

/** `zor exec NAME -- COMMAND [ARGUMENT...]`. */
export function define({ program, open }: Registrar): void {
  const command = program
    .command("exec")
    .description(
      "Run a command inside an instance and end with its exit code, or 8 when a part of its output is missing. Standard input is passed on when it is a pipe or file, or with -t.",
    )
    .addArgument(new ResourceArgument("<name>", "instance", "instance"))
    .argument("<command...>", "command and arguments, after --; no shell reads them")
    .option("--host <host>", "the host of a name without one")
    .option("-t, --tty", "give it a terminal (containers only)")
    .option("-n, --no-stdin", "do not read standard input")
    .addOption(repeatable("-e, --env <key=value>", "more environment; may be repeated"))
    .action(async (text: string, words: string[], options: ExecOptions) => {
      const session = open(command);
      const { input, output } = session.io.terminal;
      const tty = options.tty === true;
      if (tty && (input.isTTY !== true || output.isTTY !== true)) {
        throw invalidArgument("--tty", "this is not a terminal; leave -t out");
      }
      const name = await resolveName(session, kindNamed("instance"), text, options.host);
      const exit = await execCommand(await session.connect(), session.io, {
        name,
        command: words,
        environment: parsePairs("--env", options.env),
        tty,
        stdin: options.stdin && (tty || input.isTTY !== true),
      });
      if (exit.truncated)
        session.note(`zor: a part of the output is missing; the command's own exit code was ${exit.code}`);
      session.setExitCode(exit.truncated ? exitCode.cut : exit.code);
    });
  command.addHelpText(
    "after",
    `
When zor is ended before the command is, a command in a container ends too, with
all it began; to have something stay, start it with setsid. What a command that
ends by itself leaves in the background stays as well.`,
  );
  withExamples(
    command,
    "zor exec alpha/vm1 -- uname -a",
    "zor exec alpha/c1 -t -- /bin/sh",
    "echo hello | zor exec alpha/c1 -- cat",
    "zor exec alpha/vm1 -- ping -c 3 10.0.0.2",
  );
}
