import { join as joinPath } from "node:path";
import { text as readStream } from "node:stream/consumers";
import { alreadyExists, failedPrecondition } from "../../../lib/errors.js";
import { parseId } from "../../../lib/names.js";
import { saveIdentity } from "../../../lib/tls/identity.js";
import { hubServerName, join } from "../../../lib/tls/join.js";
import { listContexts, saveContext } from "../../client/contexts.js";
import { escapeText } from "../../kit/text/escape.js";
import { type Registrar, withExamples } from "../command.js";
import { noteCurrent } from "../context-notes.js";
import { parseDurationMs } from "../../kit/input/durations.js";

interface JoinOptions {
  readonly name: string;
  readonly use: boolean;
}

/** `zor join TOKEN`. */
export function define({ program, open }: Registrar): void {
  const command = program
    .command("join")
    .description(
      "Turn a token into an identity of this user and a context that leads to the hub. The context becomes the current one, which plain commands use, unless --no-use is given.",
    )
    .argument("<token>", "from an admin (zor token create); - reads it from standard input")
    .option("--name <context>", "name of the new context", "hub")
    .option("--no-use", "leave the current context as it is")
    .action(async (word: string, options: JoinOptions) => {
      const session = open(command);
      const name = parseId("--name", options.name);
      const directory = session.configDirectory;
      const { contexts, current: before } = await listContexts(directory);
      // Before the token is used up.
      if (contexts.some((context) => context.name === name)) {
        throw alreadyExists(`context ${name}`, "choose another with --name, or remove it with: zor context remove");
      }
      const token = word === "-" ? await readStream(session.io.terminal.input) : word;
      const { timeout } = session.options;
      const { identity, response } = await join(
        token,
        timeout === undefined ? {} : { timeoutMs: parseDurationMs("--timeout", timeout) },
      );
      if (response.identity.startsWith("zor://host/")) {
        throw failedPrecondition(
          "HOST_TOKEN",
          response.identity,
          `the token was for ${response.identity} and is used up; get another and run on that host: zor agent join TOKEN`,
        );
      }
      const identityDirectory = joinPath(directory, "identities", name);
      await saveIdentity(identityDirectory, identity);
      const context = { name, addresses: response.hubAddresses, serverName: hubServerName, identityDirectory };
      await saveContext(directory, context, options.use);
      session.print(
        escapeText(`joined as ${response.identity}; context ${name} leads to ${response.hubAddresses.join(", ")}`),
      );
      await noteCurrent(session, { before, name });
      session.note(escapeText(`Try: zor ${options.use ? "" : `--context ${name} `}get hosts`));
    });
  withExamples(command, "zor join zor1.WyJ...", "zor join - --name lab2 --no-use < token.txt");
}
