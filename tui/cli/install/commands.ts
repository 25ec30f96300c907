import type { Command } from "commander";
import { invalidArgument } from "../../../lib/errors.js";
import { kindNamed } from "../../../lib/kinds/kinds.js";
import { parseTarget } from "../../../lib/ssh/target.js";
import type { Host } from "../../../proto/gen/zor/v1/host.js";
import { type Registrar, repeatable, withExamples, withNotes, yesOption } from "../command.js";
import { confirm } from "../confirm.js";
import { listKind } from "../kinds.js";
import type { Session } from "../session.js";
import { findArchive, noArchive } from "./archive.js";
import type { HostBoard } from "./board.js";
import { configureHost } from "./configure.js";
import { type ConfigureFlags, editThere, readEdit, withSettings, withSettingsExamples } from "./configure-commands.js";
import { findDebs } from "./debs.js";
import { Deltas } from "./delta.js";
import { sshAnnotation } from "./fleet-side.js";
import { commonFacts, type InstallOptions, installHost } from "./install-host.js";
import { rejoinHost, uninstallHost } from "./leave.js";
import {
  parseCount,
  remoteOptions,
  type SharedOptions,
  sshNotes,
  type WaveOptions,
  waveBounds,
  withArchive,
  withParallel,
  withShared,
  withWaves,
} from "./options.js";
import type { RemoteOptions } from "./remote.js";
import { type RollbackChoice, rollBackHost } from "./rollback.js";
import { type JobResult, type RunOptions, runOnHosts } from "./run-hosts.js";
import type { SettingsEdit } from "./settings-text.js";
import type { Step } from "./step.js";
import { Steps } from "./steps.js";
import { checkWishes, type HostWish, parseWish, readHosts } from "./wishes.js";

interface Options extends SharedOptions {
  readonly archive?: string;
  readonly file?: string;
  readonly debs?: string;
  readonly dialOut?: boolean;
  readonly label?: readonly string[];
  readonly maxParallel: string;
}

/** `zor host install`. */
export function defineInstall(host: Command, open: Registrar["open"]): void {
  const command = withParallel(
    withArchive(
      withShared(
        host
          .command("install")
          .description("Make machines hosts of the fleet, by ssh: packages, programs, identity, agent. Admins only.")
          .argument("[hosts...]", "USER@HOST, or NAME=USER@HOST"),
      ),
    ),
  )
    .option("-f, --file <file>", "YAML file with hosts; see docs/deploy.md")
    .option(
      "--debs <directory>",
      "made by npm run package -- --only offline: Debian packages for hosts without a way to apt's archive",
    )
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
      await run(session, wishes, options, { mode: "install", work: installHost, needsArchive: true });
    });
  withNotes(command, sshNotes);
  withExamples(
    command,
    "zor host install root@10.0.0.11",
    "zor host install h1=ops@rack7 h2=ops@rack8 --accept-new",
    "zor host install -f hosts.yaml --dry-run",
  );
}

const hostArgument = ["[hosts...]", "NAME of a host that was installed by zor, or NAME=USER@HOST"] as const;

/** `zor host upgrade`. */
export function defineUpgrade(host: Command, open: Registrar["open"]): void {
  const command = withWaves(
    withParallel(
      withArchive(
        withShared(
          host
            .command("upgrade")
            .description(
              "Bring hosts to the version of an archive, by ssh. Guests, cables and consoles go on; a host whose new agent the hub does not reach goes back by itself. Admins only.",
            )
            .argument(...hostArgument),
        ),
      ),
    ),
  ).action(async (texts: readonly string[], options: Options & WaveOptions) => {
    const session = open(command);
    const wishes = await namedHosts(session, texts, options.all === true);
    const what = { mode: "upgrade", work: installHost, needsArchive: true, ...waveBounds(options) } as const;
    await run(session, wishes, options, what);
  });
  withNotes(command, sshNotes);
  withExamples(command, "zor host upgrade alpha", "zor host upgrade --all --canary 1 --max-parallel 4");
}

/** `zor host rollback`. */
export function defineRollback(host: Command, open: Registrar["open"]): void {
  const command = withWaves(
    withParallel(
      withShared(
        host
          .command("rollback")
          .description(
            "Take hosts back to the version before, or another one that is kept beside it, by ssh. Guests, cables and consoles go on; a host whose agent the hub does not reach then returns by itself to the version that it ran. Admins only.",
          )
          .argument(...hostArgument),
      ),
    ),
  )
    .option("--to <version>", "ID of the version, or its beginning (default: the one before)")
    .action(async (texts: readonly string[], options: Options & WaveOptions & RollbackChoice) => {
      const session = open(command);
      const wishes = await namedHosts(session, texts, options.all === true);
      const { to } = options;
      await runAll(session, wishes, { ...options, ...waveBounds(options) }, (wish, install, step) =>
        rollBackHost(wish, { ...install, to }, step),
      );
    });
  withNotes(
    command,
    "Two versions stay on a host, and those that something still runs from. Going back twice leads to where it was.",
  );
  withNotes(command, sshNotes);
  withExamples(command, "zor host rollback alpha", "zor host rollback --all --canary 1 --to 0.1.0-3f");
}

/** `zor host configure`. */
export function defineConfigure(host: Command, open: Registrar["open"]): void {
  const command = withSettings(
    withWaves(
      withParallel(
        withShared(
          host
            .command("configure")
            .description(
              "Change the settings of hosts' agents (/etc/zor/agent.yaml), by ssh: addresses, metrics, traces. What a host allows is its own policy and is changed there alone. Guests, cables and consoles go on. Admins only.",
            )
            .argument(...hostArgument),
        ),
      ),
    ),
  ).action(async (texts: readonly string[], options: Options & WaveOptions & ConfigureFlags) => {
    const session = open(command);
    const edit = await readEdit(options, session.io.signal);
    const wishes = await namedHosts(session, texts, options.all === true);
    const bounds = waveBounds(options);
    const { file: _, ...rest } = options;
    const work = async (changes: SettingsEdit, remote?: RemoteOptions) =>
      runAll(session, wishes, { ...rest, ...bounds, remote }, (wish, install, step) =>
        configureHost(wish, { ...install, edit: changes }, step),
      );
    const [first] = wishes;
    if (options.edit !== true || first === undefined) return work(edit);
    if (wishes.length > 1) throw invalidArgument("--edit", "takes one host; change many with --set, --unset or -f");
    const remote = await remoteOptions(session, options, async (ask) => ask());
    const machine = { target: first.ssh, unit: "zor-agent", work: (changes: SettingsEdit) => work(changes, remote) };
    return editThere(session, remote, machine);
  });
  withNotes(command, sshNotes);
  withSettingsExamples(
    command,
    `zor host configure alpha --set 'metricsListen=["10.0.0.11:9464"]' --dry-run`,
    "zor host configure --all --set figuresMib=128 --canary 1 --max-failures 2",
    "zor host configure alpha --edit",
  );
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

type HostWork = (wish: HostWish, install: InstallOptions, step: Step) => Promise<JobResult>;

interface Bounds extends Pick<RunOptions, "canaries" | "maxFailures"> {
  /** How hosts are logged in to, when somebody was asked already. */
  readonly remote?: RemoteOptions | undefined;
}

async function runAll(
  session: Session,
  wishes: readonly HostWish[],
  { canaries, maxFailures, remote, ...options }: Options & Bounds,
  work: HostWork,
): Promise<void> {
  await run(session, wishes, options, { mode: "install", work, needsArchive: false, canaries, maxFailures, remote });
}

interface RunWhat extends Bounds {
  readonly mode: InstallOptions["mode"];
  readonly work: HostWork;
  readonly needsArchive: boolean;
}

/** Who is asked for passwords is asked once for all hosts. */
async function run(
  session: Session,
  wishes: readonly HostWish[],
  options: Options,
  { mode, work, needsArchive, remote: given, ...bounds }: RunWhat,
): Promise<void> {
  checkWishes(wishes);
  if (options.steps === true && options.passwordStdin === true)
    throw invalidArgument("--steps", "asks for passwords itself; leave --password-stdin out");
  using steps = options.steps === true ? new Steps(session.io) : undefined;
  const archive = needsArchive ? await findArchive(options.archive) : noArchive;
  const common = await commonFacts(session);
  await using deltas = new Deltas(archive);
  let board: HostBoard | undefined;
  const remote =
    given ??
    (await remoteOptions(session, options, async (ask) => (board === undefined ? ask() : board.pausedFor(ask)), steps));
  const install: InstallOptions = {
    ...common,
    ...{
      session,
      archive,
      deltas,
      debs: await findDebs(options.debs),
      remote,
      mode,
      unit: "zor-agent",
      packages: archive.packages,
      dryRun: options.dryRun === true,
    },
  };
  const maxParallel = parseCount("--max-parallel", options.maxParallel, 1);
  const jobs = wishes.map((wish) => ({
    name: wish.id,
    run: (step: Step) => work(wish, install, step),
  }));
  await runOnHosts(session, jobs, { output: options.output, maxParallel, steps, ...bounds }, (made) => {
    board = made;
  });
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
