import { join as joinPath } from "node:path";
import { text as readStream } from "node:stream/consumers";
import { alreadyExists, failedPrecondition } from "../../../lib/errors.js";
import { parseId } from "../../../lib/names.js";
import { saveIdentity } from "../../../lib/tls/identity.js";
import { parseTarget, type SshTarget } from "../../../lib/ssh/target.js";
import { hubServerName, type Joined, join } from "../../../lib/tls/join.js";
import { listContexts, saveContext, wayOf } from "../../client/contexts.js";
import { escapeText } from "../../kit/text/escape.js";
import { type Registrar, withExamples } from "../command.js";
import { noteCurrent } from "../context-notes.js";
import type { Session } from "../session.js";
import { parseDurationMs } from "../../kit/input/durations.js";

interface JoinOptions {
  readonly name: string;
  readonly use: boolean;
  readonly ssh?: string;
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
    .option(
      "--ssh <user@host>",
      "reach the hub through this ssh server, now and later; its addresses are seen from there",
    )
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
      const ssh = options.ssh === undefined ? undefined : parseTarget("--ssh", options.ssh);
      const { identity, response } = await joinFrom(session, token, ssh);
      if (response.identity.startsWith("zor://host/")) {
        throw failedPrecondition(
          "HOST_TOKEN",
          response.identity,
          `the token was for ${response.identity} and is used up; get another and run on that host: zor agent join TOKEN`,
        );
      }
      const identityDirectory = joinPath(directory, "identities", name);
      await saveIdentity(identityDirectory, identity);
      const way = ssh === undefined ? {} : { ssh };
      const context = { name, addresses: response.hubAddresses, serverName: hubServerName, identityDirectory, ...way };
      await saveContext(directory, context, options.use);
      session.print(escapeText(`joined as ${response.identity}; context ${name} leads to ${wayOf(context)}`));
      await noteCurrent(session, { before, name });
      session.note(escapeText(`Try: zor ${options.use ? "" : `--context ${name} `}get hosts`));
    });
  withExamples(
    command,
    "zor join zor1.WyJ...",
    "zor join - --name lab2 --no-use < token.txt",
    "zor join zor1.WyJ... --name paris --ssh ops@bastion.example",
  );
}

/** Uses the token, through an ssh server where one is given. */
async function joinFrom(session: Session, token: string, ssh: SshTarget | undefined): Promise<Joined> {
  const { timeout } = session.options;
  const options = timeout === undefined ? {} : { timeoutMs: parseDurationMs("--timeout", timeout) };
  if (ssh === undefined) return join(token, options);
  const { SshDoor } = await import("../../client/ssh-door.js");
  const door = await SshDoor.open(ssh, session.ssh);
  try {
    return await join(token, { ...options, door: async (address) => (await door.to(address)).address });
  } finally {
    door.close();
  }
}
