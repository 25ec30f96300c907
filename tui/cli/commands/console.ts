import { kindNamed } from "../../../lib/kinds/kinds.js";
import { attachConsole, detachKey } from "../../client/console.js";
import { escapeText } from "../../kit/text/escape.js";
import { shortName } from "../../kit/resource-name.js";
import { type Registrar, ResourceArgument, withExamples } from "../command.js";
import { parseWhole } from "../../kit/input/key-values.js";
import { resolveName } from "../resolve.js";

interface ConsoleCommandOptions {
  readonly host?: string;
  readonly replay: string;
  readonly port: string;
}

/** `zor console NAME`. */
export function define({ program, open }: Registrar): void {
  const command = program
    .command("console")
    .description(
      `Attach this terminal to an instance's serial console. ${detachKey} detaches and leaves the instance as it is.\nWith a pipe as input, what it holds is typed and the output shown until the console closes or zor is interrupted.`,
    )
    .addArgument(new ResourceArgument("<name>", "instance", "instance"))
    .option("--host <host>", "the host of a name without one")
    .option("--port <number>", "serial port of a machine, 0 to 3", "0")
    .option("--replay <bytes>", "recent output to show first, 0 to 65536", "4096")
    .action(async (text: string, options: ConsoleCommandOptions) => {
      const session = open(command);
      const replayBytes = parseWhole("--replay", options.replay, 0, 65_536);
      const name = await resolveName(session, kindNamed("instance"), text, options.host);
      const connection = await session.connect();
      const end = await attachConsole(connection, name, session.io.terminal, {
        signal: session.io.signal,
        replayBytes,
        port: parseWhole("--port", options.port, 0, 3),
      });
      const why = end.kind === "closed" ? end.reason || "the console closed" : "detached";
      session.note(escapeText(`${shortName(name)}: ${why}`));
      session.io.signal.throwIfAborted();
    });
  withExamples(
    command,
    "zor console alpha/vm1",
    "zor console vm1 --replay 0",
    "zor console vm1 --port 1",
    "echo reboot | zor console alpha/vm1",
  );
}
