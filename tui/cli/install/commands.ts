import type { Command } from "commander";
import { Option } from "commander";
import { readHosts, checkWishes, type HostWish, parseWish } from "./wishes.js";
import { invalidArgument } from "../../../lib/errors.js";
import { kindNamed } from "../../../lib/kinds/kinds.js";
import { Remembered } from "../../../lib/ssh/questions.js";
import { parseTarget } from "../../../lib/ssh/target.js";
import type { Host } from "../../../proto/gen/zor/v1/host.js";
import { outputOption, type Registrar, repeatable, withExamples, withNotes } from "../command.js";
import { listKind } from "../kinds.js";
import type { Session } from "../session.js";
import { findArchive } from "./archive.js";
import type { Board } from "./board.js";
import { sshAnnotation } from "./fleet-side.js";
import { commonFacts, installHost, type InstallOptions } from "./install-host.js";
import { type RemoteOptions, sudoPrompt } from "./remote.js";
import { runOnHosts, usualParallel } from "./run-hosts.js";

interface Options {
  readonly file?: string;
  readonly archive?: string;
  readonly debs?: string;
  readonly dialOut?: boolean;
  readonly label: readonly string[];
  readonly all?: boolean;
  readonly acceptNew?: boolean;
  readonly passwordStdin?: boolean;
  readonly maxParallel: string;
  readonly dryRun?: boolean;
  readonly output: string;
}

const notes = `ssh is used as always: ~/.ssh/config with its jumps, agent, keys and known hosts. On each host the user becomes root with sudo; its password is asked for once, for all hosts, and goes there by standard input alone.

What is done already is not done again: a second run says so, and one that was cut off goes on. Exit codes: 0 all are done, that of the error when one host was named, else 10 and how many failed.`;

/** `zor host install`. */
export function defineInstall(host: Command, open: Registrar["open"]): void {
  const command = shared(
    host
      .command("install")
      .description("Make machines hosts of the fleet, by ssh: packages, programs, identity, agent. Admins only.")
      .argument("[hosts...]", "USER@HOST, or NAME=USER@HOST"),
  )
    .option("-f, --file <file>", "YAML file with hosts; see docs/deploy.md")
    .option("--debs <directory>", "Debian packages to bring along, for hosts without a way to apt's archive")
    .option("--dial-out", "agents dial the hub, for hosts that it cannot reach")
    .addOption(repeatable("--label <key=value>", "label of the new hosts; may be repeated"))
    .action(async (texts: readonly string[], options: Options) => {
      const session = open(command);
      const labels = Object.fromEntries(options.label.map(parseLabel));
      const common = { labels, dialOut: options.dialOut };
      const named = texts.map((text) => parseWish(text, common));
      const wishes = [...named, ...(options.file === undefined ? [] : await readHosts(options.file))];
      if (wishes.length === 0)
        throw invalidArgument("hosts", "name at least one as USER@HOST, or a file of them with -f");
      await run(session, wishes, options, "install");
    });
  withNotes(command, notes);
  withExamples(
    command,
    "zor host install root@10.0.0.11",
    "zor host install h1=ops@rack7 h2=ops@rack8 --accept-new",
    "zor host install -f hosts.yaml --dry-run",
  );
}

/** `zor host upgrade`. */
export function defineUpgrade(host: Command, open: Registrar["open"]): void {
  const command = shared(
    host
      .command("upgrade")
      .description(
        "Bring hosts to the version of an archive, by ssh. Guests, cables and consoles go on; a host whose new agent the hub does not reach goes back by itself. Admins only.",
      )
      .argument("[hosts...]", "NAME of a host that was installed by zor, or NAME=USER@HOST"),
  )
    .option("--all", "all hosts that were installed by zor")
    .option("--canary <count>", "so many first, alone; the others only when all of them are well", "0")
    .action(async (texts: readonly string[], options: Options & { readonly canary: string }) => {
      const session = open(command);
      const wishes = await namedHosts(session, texts, options.all === true);
      const canaries = parseCount("--canary", options.canary, 0);
      const first = wishes.slice(0, canaries);
      if (first.length > 0) {
        session.note(`first: ${first.map(({ id }) => id).join(", ")}`);
        await run(session, first, options, "upgrade");
        if (session.exitCode !== 0) return;
      }
      const others = wishes.slice(canaries);
      if (others.length > 0) await run(session, others, options, "upgrade");
    });
  withNotes(command, notes);
  withExamples(command, "zor host upgrade alpha", "zor host upgrade --all --canary 1 --max-parallel 4");
}

function shared(command: Command): Command {
  return command
    .option("--archive <file>", "made by npm run package (default: that of this version beside zor)")
    .option("--accept-new", "trust the keys of servers that are not known yet, and keep them")
    .option("--password-stdin", "read the password for sudo from standard input")
    .addOption(new Option("--max-parallel <count>", "hosts at a time").default(String(usualParallel)))
    .option("--dry-run", "only look, and say what would be done")
    .addOption(outputOption(["text", "json"], "text"));
}

async function run(
  session: Session,
  wishes: readonly HostWish[],
  options: Options,
  mode: InstallOptions["mode"],
): Promise<void> {
  checkWishes(wishes);
  const archive = await findArchive(options.archive);
  const common = await commonFacts(session);
  let board: Board | undefined;
  const remote = await remoteOptions(session, options, async (ask) =>
    board === undefined ? ask() : board.pausedFor(ask),
  );
  const install: InstallOptions = {
    ...common,
    ...{ session, archive, debs: options.debs, remote, mode, unit: "zor-agent", dryRun: options.dryRun === true },
  };
  const jobs = wishes.map((wish) => ({
    name: wish.id,
    run: (step: (text: string) => void) => installHost(wish, install, step),
  }));
  const maxParallel = parseCount("--max-parallel", options.maxParallel, 1);
  await runOnHosts(session, jobs, { output: options.output, maxParallel }, (made) => {
    board = made;
  });
}

/** How hosts are logged in to, and who is asked. @param paused keeps what is drawn away from a question. */
export async function remoteOptions(
  session: Session,
  { acceptNew, passwordStdin }: Pick<Options, "acceptNew" | "passwordStdin">,
  paused: <T>(ask: () => Promise<T>) => Promise<T>,
): Promise<RemoteOptions> {
  const { SshConfig } = await import("../../../lib/ssh/config.js");
  const { env, signal, terminal } = session.io;
  const { questions: person, onNote } = session.ssh;
  const given = passwordStdin === true ? await firstLine(terminal.input) : undefined;
  const questions =
    person === undefined && given === undefined
      ? undefined
      : new Remembered({
          secret: async (prompt) =>
            prompt === sudoPrompt && given !== undefined ? given : paused(async () => person?.secret(prompt)),
          confirm: async (lines, question) => paused(async () => (await person?.confirm(lines, question)) === true),
        });
  const config = await SshConfig.read({ env });
  return { config, questions, signal, onNote, ...(acceptNew === true ? { unknownKeys: "accept-new" as const } : {}) };
}

async function firstLine(input: AsyncIterable<Buffer | string>): Promise<string> {
  let text = "";
  for await (const piece of input) {
    text += piece.toString();
    if (text.includes("\n")) break;
  }
  return text.split("\n")[0] ?? "";
}

/** Hosts of the fleet with the way that ssh reaches them, which was noted when they were installed. */
export async function namedHosts(
  session: Session,
  texts: readonly string[],
  all: boolean,
): Promise<readonly HostWish[]> {
  if (all === texts.length > 0) throw invalidArgument("hosts", "name them, or say --all");
  const common = { labels: {}, dialOut: undefined };
  const listing = await listKind(await session.connect(), kindNamed("host"), {}, session.readOptions());
  // What is listed is of the kind that was asked for.
  const hosts = listing.resources.map(({ value }) => value as Host);
  if (all) {
    const reached = hosts.filter(({ annotations }) => annotations[sshAnnotation] !== undefined);
    const others = hosts.filter((host) => !reached.includes(host)).map(({ name }) => name);
    if (others.length > 0) session.note(`not installed by zor, left alone: ${others.join(", ")}`);
    if (reached.length === 0)
      throw invalidArgument("--all", "no host was installed by zor host install; name them as NAME=USER@HOST");
    return reached.map((host) => wishOf(host));
  }
  return texts.map((text) => {
    if (text.includes("=") || text.includes("@")) return parseWish(text, common);
    const host = hosts.find(({ name }) => name === `hosts/${text}` || name === text);
    if (host === undefined) throw invalidArgument("hosts", `${text} is no host of this fleet; see: zor get hosts`);
    return wishOf(host);
  });
}

function wishOf({ name, annotations }: Host): HostWish {
  const id = name.replace("hosts/", "");
  const ssh = annotations[sshAnnotation];
  if (ssh === undefined)
    throw invalidArgument(
      "hosts",
      `${id} was not installed by zor host install; say how ssh reaches it: ${id}=USER@HOST`,
    );
  return {
    id,
    ssh: parseTarget(`annotation ${sshAnnotation} of ${id}`, ssh),
    listen: undefined,
    underlay: undefined,
    dialOut: undefined,
    labels: {},
  };
}

function parseLabel(text: string): readonly [string, string] {
  const at = text.indexOf("=");
  if (at < 1) throw invalidArgument("--label", `${text} is not KEY=VALUE`);
  return [text.slice(0, at), text.slice(at + 1)];
}

function parseCount(option: string, text: string, least: number): number {
  const count = Number(text);
  if (/^\d{1,4}$/.test(text) && count >= least) return count;
  throw invalidArgument(option, `${text} is not a whole number from ${least} on`);
}
