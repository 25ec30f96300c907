import { kindNamed } from "../../../lib/kinds/kinds.js";
import { isIP } from "node:net";
import type { Command } from "commander";
import { invalidArgument, messageOf } from "../../../lib/errors.js";
import { quote } from "../../../lib/names.js";
import { parseWhole } from "../../kit/input/key-values.js";
import { shortName } from "../../kit/resource-name.js";
import { escapeText } from "../../kit/text/escape.js";
import { type Registrar, ResourceArgument, withExamples, withNotes } from "../command.js";
import { resolveName } from "../resolve.js";
import { runProgram } from "../../client/run-program.js";
import type { Session } from "../session.js";
import { GuestKeys } from "../ssh/guest-keys.js";
import { domain, fromAlias, SshFiles, sshRemedy, toAlias } from "../ssh/ssh-files.js";
import { tunnel } from "../../../lib/grpc/tunnel.js";

interface SshOptions {
  readonly host?: string;
  readonly user: string;
  readonly port: string;
  readonly keys: boolean;
  readonly to: string;
  readonly nic: string;
  readonly acceptNew?: boolean;
}

/** Options of all three that say how to come to the server. */
function withWay(command: Command): Command {
  return command
    .option(
      "--to <ip>",
      "address that the server listens on (default: 127.0.0.1 inside, that of the NIC from its lan)",
      "",
    )
    .option("--nic <name>", "come from the lan of this NIC, not from inside", "");
}

/** The same options for the proxy, checked: a shell reads them there. */
function wayOf({ to, nic }: SshOptions): readonly string[] {
  if (to !== "" && isIP(to) === 0) throw invalidArgument("--to", `${quote(to)} is not an IP address`);
  if (!/^[\w.-]{0,15}$/.test(nic)) throw invalidArgument("--nic", `${quote(nic)} is not the name of a NIC`);
  return [...(to === "" ? [] : ["--to", to]), ...(nic === "" ? [] : ["--nic", nic])];
}

const acceptNewWords = "take the key of a server on trust the first time, where it cannot be read inside";

/** `zor ssh`, `zor ssh-config` and `zor ssh-proxy`. */
export function define(registrar: Registrar, name: string): void {
  if (name === "ssh") defineSsh(registrar);
  else if (name === "ssh-config") defineConfig(registrar);
  else defineProxy(registrar);
}

function defineSsh({ program, open }: Registrar): void {
  const command = withWay(program.command("ssh"))
    .description("Log in to an instance by ssh, through the hub and without an address, or run a command there.")
    .addArgument(new ResourceArgument("<name>", "instance", "instance"))
    .argument("[command...]", "command and arguments, after --; the shell inside reads them")
    .option("--host <host>", "the host of a name without one")
    .option("-l, --user <user>", "who to log in as", "root")
    .option("-p, --port <port>", "port of the ssh server inside", "22")
    .option("--accept-new", acceptNewWords)
    .action(async (text: string, words: string[], options: SshOptions) => {
      const session = open(command);
      const port = parseWhole("--port", options.port, 1, 65_535);
      const instance = await resolveName(session, kindNamed("instance"), text, options.host);
      const files = new SshFiles(session.configDirectory);
      await files.ensureKey();
      const context = session.options.context === undefined ? [] : ["--context", session.options.context];
      const alias = toAlias(instance);
      const proxy = [...context, "ssh-proxy", shortName(instance), ...wayOf(options)];
      const settings = files.options(proxy, { alias, acceptNew: options.acceptNew === true });
      const argv = Object.entries(settings).flatMap(([key, value]) => ["-o", `${key}=${value}`]);
      const code = await runProgram(
        ["ssh", ...argv, "-l", options.user, "-p", String(port), "--", alias, ...words],
        ["inherit", "inherit", "inherit"],
        { remedy: sshRemedy },
      );
      session.setExitCode(code);
    });
  withNotes(
    command,
    `The instance needs an ssh server, and what zor exec and zor port-forward need. A
key of yours is let in for as long as the session lasts, and the server's own key
is read through the hub: nothing is taken on trust. Where no guest agent answers
(a router's own system), ssh comes from the guest's lan as zor port-forward does,
and asks for a password; --accept-new takes the server's key on trust the first
time. For scp, rsync and ansible see zor ssh-config.`,
  );
  withExamples(command, "zor ssh alpha/vm1", "zor ssh alpha/vm1 -l admin -- uptime");
}

function defineConfig({ program, open }: Registrar): void {
  const command = withWay(program.command("ssh-config"))
    .description("Print a configuration with which plain ssh, scp, rsync and ansible reach instances.")
    .argument("[names...]", "instances to name one by one; default: one block for all, as NAME.HOST.zor")
    .option("--host <host>", "the host of names without one")
    .option("-l, --user <user>", "who to log in as", "root")
    .option("--accept-new", acceptNewWords)
    .action(async (names: string[], options: SshOptions) => {
      const session = open(command);
      const files = new SshFiles(session.configDirectory);
      await files.ensureKey();
      const context = session.options.context === undefined ? [] : ["--context", session.options.context];
      const [blocks, way] = [[] as { alias: string; proxy: readonly string[] }[], wayOf(options)];
      for (const text of names) {
        const instance = await resolveName(session, kindNamed("instance"), text, options.host);
        blocks.push({ alias: toAlias(instance), proxy: [...context, "ssh-proxy", shortName(instance), ...way] });
      }
      if (names.length === 0) blocks.push({ alias: `*${domain}`, proxy: [...context, "ssh-proxy", "%h", ...way] });
      for (const { alias, proxy } of blocks) {
        session.print(`Host ${alias}\n  User ${options.user}`);
        for (const [key, value] of Object.entries(files.options(proxy, { acceptNew: options.acceptNew === true })))
          session.print(`  ${key} ${value}`);
      }
    });
  withNotes(
    command,
    `Write it to a file and include that at the top of ~/.ssh/config:

  zor ssh-config > ~/.ssh/zor.conf
  Include zor.conf

Then: ssh vm1.alpha.zor, scp FILE vm1.alpha.zor:/tmp, rsync -a DIR vm1.alpha.zor:.
An instance whose name has upper case letters, or whose host's name has a dot, is
named one by one: zor ssh-config HOST/NAME.`,
  );
  withExamples(command, "zor ssh-config > ~/.ssh/zor.conf", "zor ssh-config alpha/vm1 alpha/vm2 -l admin");
}

function defineProxy({ program, open }: Registrar): void {
  const command = withWay(program.command("ssh-proxy"))
    .description("Connect standard input and output with the ssh server of an instance: what ssh runs as ProxyCommand.")
    .addArgument(new ResourceArgument("<name>", "instance, as HOST/NAME or NAME.HOST.zor", "instance"))
    .option("--host <host>", "the host of a name without one")
    .option("--user <user>", "who will log in", "root")
    .option("--port <port>", "port of the ssh server inside", "22")
    .option("--no-keys", "let no key in, and do not read the server's")
    .action(async (text: string, options: SshOptions) => {
      const session = open(command);
      const port = parseWhole("--port", options.port, 1, 65_535);
      const name = await resolveName(session, kindNamed("instance"), fromAlias(text), options.host);
      await using _key = options.keys ? await lendKey(session, name, options.user) : undefined;
      const { input, output } = session.io.terminal;
      const connection = await session.connect();
      const server = { name, port, address: options.to, nic: options.nic };
      try {
        await tunnel(connection, server, { input, output }, session.io.signal);
      } catch (error) {
        // ssh ends what it connected through when it is done.
        if (!session.io.signal.aborted) throw error;
      }
    });
  withExamples(command, "ssh -o ProxyCommand='zor ssh-proxy alpha/vm1' root@vm1");
}

/** Reads the server's keys and lets ours in. Without an agent inside ssh goes on with what it knows and has. */
async function lendKey(session: Session, name: string, user: string): Promise<AsyncDisposable | undefined> {
  const files = new SshFiles(session.configDirectory);
  const keys = new GuestKeys(await session.connect(), name, user);
  const { signal } = session.io;
  try {
    const hostKeys = await keys.hostKeys(signal);
    if (hostKeys.length > 0) await files.know(toAlias(name), hostKeys);
    return await keys.lend(await files.ensureKey(), signal);
  } catch (error) {
    signal.throwIfAborted();
    const hint = "a server whose key is not known yet needs --accept-new";
    session.note(escapeText(`zor: no key was let in for this session, and none read: ${messageOf(error)}; ${hint}`));
    return undefined;
  }
}
