import { kindNamed } from "../../../lib/kinds/kinds.js";
import { invalidArgument } from "../../../lib/errors.js";
import { type Registrar, ResourceArgument, repeatable, withExamples, withNotes } from "../command.js";
import { execCommand } from "../exec-command.js";
import { exitCode } from "../exit-codes.js";
import { parsePairs } from "../../kit/input/key-values.js";
import { resolveName } from "../resolve.js";

interface ExecOptions {
  readonly host?: string;
  readonly tty?: boolean;
  readonly stdin: boolean;
  readonly env: readonly string[];
  readonly user?: string;
  readonly workdir?: string;
  readonly detach?: boolean;
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
    .option("-t, --tty", "give it a terminal (in a machine: the guest needs script, of bsdutils)")
    .option("-n, --no-stdin", "do not read standard input")
    .addOption(repeatable("-e, --env <key=value>", "more environment; may be repeated"))
    .option("-u, --user <user>", "name or number of who runs it, with :GROUP or without (default: root)")
    .option("-w, --workdir <directory>", "where it runs (default: /)")
    .option("-d, --detach", "leave it running, without input and output, and print its pid inside")
    .action(async (text: string, words: string[], options: ExecOptions) => {
      const session = open(command);
      const { input, output } = session.io.terminal;
      const tty = options.tty === true;
      if (tty && (input.isTTY !== true || output.isTTY !== true)) {
        throw invalidArgument("--tty", "this is not a terminal; leave -t out");
      }
      const detach = options.detach === true;
      if (detach && tty) throw invalidArgument("--detach", "what is left running has no terminal; leave -t out");
      const term = tty ? process.env["TERM"] : undefined;
      const name = await resolveName(session, kindNamed("instance"), text, options.host);
      const end = await execCommand(await session.connect(), session.io, {
        name,
        command: words,
        environment: { ...(term === undefined ? {} : { TERM: term }), ...parsePairs("--env", options.env) },
        tty,
        stdin: !detach && options.stdin && (tty || input.isTTY !== true),
        user: options.user ?? "",
        workingDirectory: options.workdir ?? "",
        detach,
        purpose: "",
      });
      if ("pid" in end) {
        session.print(String(end.pid));
        return;
      }
      const exit = end;
      if (exit.truncated)
        session.note(`zor: a part of the output is missing; the command's own exit code was ${exit.code}`);
      session.setExitCode(exit.truncated ? exitCode.cut : exit.code);
    });
  withNotes(
    command,
    `Input and output are carried while the command runs, no faster than the slower
side takes them, and end separately. When zor is ended before the command is, or
the connection is lost, the command ends too, with all it began; to have
something stay, use -d, or start it with setsid. What a command that ends by
itself leaves in the background stays as well. An event tells who ran which
program, without its arguments.`,
  );
  withExamples(
    command,
    "zor exec alpha/vm1 -- uname -a",
    "zor exec alpha/c1 -t -- /bin/sh",
    "echo hello | zor exec alpha/c1 -- cat",
    "zor exec alpha/c1 -u www-data -w /var/www -- ls -l",
    "zor exec alpha/vm1 -d -- tcpdump -i eth0 -w /tmp/trace.pcap",
    "tar -c directory | zor exec alpha/vm1 -- tar -x -C /tmp",
    "zor exec alpha/vm1 -- ping -c 3 10.0.0.2",
  );
}
