import type { Command } from "commander";
import { readHosts, checkWishes, type HostWish, parseWish } from "./wishes.js";
import { invalidArgument } from "../../../lib/errors.js";
import { kindNamed } from "../../../lib/kinds/kinds.js";
import { parseTarget } from "../../../lib/ssh/target.js";
import type { Host } from "../../../proto/gen/zor/v1/host.js";
import { type Registrar, repeatable, withExamples, withNotes, yesOption } from "../command.js";
import { listKind } from "../kinds.js";
import type { Session } from "../session.js";
import { confirm } from "../confirm.js";
import { findArchive, noArchive } from "./archive.js";
import type { Board } from "./board.js";
import { sshAnnotation } from "./fleet-side.js";
import { commonFacts, installHost, type InstallOptions } from "./install-host.js";
import { parseCount, remoteOptions, type SharedOptions, sshNotes, withParallel, withShared } from "./options.js";
import { type JobResult, runOnHosts } from "./run-hosts.js";
import { rejoinHost, uninstallHost } from "./leave.js";

interface Options extends SharedOptions {
  readonly file?: string;
  readonly debs?: string;
  readonly dialOut?: boolean;
  readonly label?: readonly string[];
  readonly all?: boolean;
  readonly maxParallel: string;
}

/** `zor host install`. */
export function defineInstall(host: Command, open: Registrar["open"]): void {
  const command = withParallel(
    withShared(
      host
        .command("install")
        .description("Make machines hosts of the fleet, by ssh: packages, programs, identity, agent. Admins only.")
        .argument("[hosts...]", "USER@HOST, or NAME=USER@HOST"),
    ),
  )
    .option("-f, --file <file>", "YAML file with hosts; see docs/deploy.md")
    .option("--debs <directory>", "Debian packages to bring along, for hosts without a way to apt's archive")
    .option("--dial-out", "agents dial the hub, for hosts that it cannot reach")
    .addOption(repeatable("--label <key=value>", "label of the new hosts; may be repeated"))
    .action(async (texts: readonly string[], options: Options) => {
      const session = open(command);
      const labels = Object.fromEntries((options.label ?? []).map(parseLabel));
      const common = { labels, dialOut: options.dialOut };
      const named = texts.map((text) => parseWish(text, common));
      const wishes = [...named, ...(options.file === undefined ? [] : await readHosts(options.file))];
      if (wishes.length === 0)
        throw invalidArgument("hosts", "name at least one as USER@HOST, or a file of them with -f");
      await run(session, [wishes], options, { mode: "install", work: installHost, needsArchive: true });
    });
  withNotes(command, sshNotes);
  withExamples(
    command,
    "zor host install root@10.0.0.11",
    "zor host install h1=ops@rack7 h2=ops@rack8 --accept-new",
    "zor host install -f hosts.yaml --dry-run",
  );
}

const upgrading: RunWhat = { mode: "upgrade", work: installHost, needsArchive: true };

/** `zor host upgrade`. */
export function defineUpgrade(host: Command, open: Registrar["open"]): void {
  const command = withParallel(
    withShared(
      host
        .command("upgrade")
        .description(
          "Bring hosts to the version of an archive, by ssh. Guests, cables and consoles go on; a host whose new agent the hub does not reach goes back by itself. Admins only.",
        )
        .argument("[hosts...]", "NAME of a host that was installed by zor, or NAME=USER@HOST"),
    ),
  )
    .option("--all", "all hosts that were installed by zor")
    .option("--canary <count>", "so many first, alone; the others only when all of them are well", "0")
    .action(async (texts: readonly string[], options: Options & { readonly canary: string }) => {
      const session = open(command);
      const wishes = await namedHosts(session, texts, options.all === true);
      const canaries = parseCount("--canary", options.canary, 0);
      await run(session, [wishes.slice(0, canaries), wishes.slice(canaries)], options, upgrading);
    });
  withNotes(command, sshNotes);
  withExamples(command, "zor host upgrade alpha", "zor host upgrade --all --canary 1 --max-parallel 4");
}

/** `zor host uninstall`. */
export function defineUninstall(host: Command, open: Registrar["open"]): void {
  const command = withParallel(
    withShared(
      host
        .command("uninstall")
        .description(
          "Take hosts out of the fleet and remove what was installed on them, by ssh. Debian packages stay. Admins only.",
        )
        .argument("<hosts...>", "NAME of a host that was installed by zor, or NAME=USER@HOST"),
    ),
  )
    .option("--delete-guests", "also delete the instances there with their disks, lans and all else")
    .option("--purge", "also remove its state and settings")
    .addOption(yesOption())
    .action(async (texts: readonly string[], options: Options & LeaveFlags) => {
      const session = open(command);
      const wishes = await namedHosts(session, texts, false);
      const plan = wishes.map(
        ({ id }) =>
          `${id}: ${options.deleteGuests === true ? "all that is on it is deleted, disks included; " : ""}the agent and its programs are removed`,
      );
      if (!(await confirm(session, plan, "Go on?", options))) return;
      const deleteGuests = options.deleteGuests === true;
      const purge = options.purge === true;
      await runAll(session, wishes, options, (wish, install, step) =>
        uninstallHost(wish, { ...install, deleteGuests, purge }, step),
      );
    });
  withExamples(command, "zor host uninstall alpha", "zor host uninstall h1=ops@rack7 --delete-guests --purge --yes");
}

interface LeaveFlags {
  readonly deleteGuests?: boolean;
  readonly purge?: boolean;
  readonly yes?: boolean;
}

/** `zor host rejoin`. */
export function defineRejoin(host: Command, open: Registrar["open"]): void {
  const command = withParallel(
    withShared(
      host
        .command("rejoin")
        .description(
          "Give hosts a new identity, by ssh, and revoke the one before: it was copied, lost, or has expired. What runs there goes on. Admins only.",
        )
        .argument("<hosts...>", "NAME of a host that was installed by zor, or NAME=USER@HOST"),
    ),
  ).action(async (texts: readonly string[], options: Options) => {
    const session = open(command);
    await runAll(session, await namedHosts(session, texts, false), options, rejoinHost);
  });
  withExamples(command, "zor host rejoin alpha", "zor host rejoin h1=ops@rack7");
}

type HostWork = (wish: HostWish, install: InstallOptions, step: (text: string) => void) => Promise<JobResult>;

async function runAll(session: Session, wishes: readonly HostWish[], options: Options, work: HostWork): Promise<void> {
  await run(session, [wishes], options, { mode: "install", work, needsArchive: false });
}

interface RunWhat {
  readonly mode: InstallOptions["mode"];
  readonly work: HostWork;
  readonly needsArchive: boolean;
}

/** @param batches one after the other, the next only when all of the one before are well; who is asked for passwords is asked once. */
async function run(
  session: Session,
  batches: readonly (readonly HostWish[])[],
  options: Options,
  { mode, work, needsArchive }: RunWhat,
): Promise<void> {
  checkWishes(batches.flat());
  const archive = needsArchive ? await findArchive(options.archive) : noArchive;
  const common = await commonFacts(session);
  let board: Board | undefined;
  const remote = await remoteOptions(session, options, async (ask) =>
    board === undefined ? ask() : board.pausedFor(ask),
  );
  const install: InstallOptions = {
    ...common,
    ...{
      session,
      archive,
      debs: options.debs,
      remote,
      mode,
      unit: "zor-agent",
      packages: archive.packages,
      dryRun: options.dryRun === true,
    },
  };
  const maxParallel = parseCount("--max-parallel", options.maxParallel, 1);
  const filled = batches.filter((wishes) => wishes.length > 0);
  for (const [at, wishes] of filled.entries()) {
    if (session.exitCode !== 0) return;
    if (at < filled.length - 1) session.note(`first: ${wishes.map(({ id }) => id).join(", ")}`);
    const jobs = wishes.map((wish) => ({
      name: wish.id,
      run: (step: (text: string) => void) => work(wish, install, step),
    }));
    await runOnHosts(session, jobs, { output: options.output, maxParallel }, (made) => {
      board = made;
    });
  }
}

/** Hosts of the fleet with the way that ssh reaches them, which was noted when they were installed. */
async function namedHosts(session: Session, texts: readonly string[], all: boolean): Promise<readonly HostWish[]> {
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
