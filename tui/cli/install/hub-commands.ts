import { userInfo } from "node:os";
import type { Command } from "commander";
import { invalidArgument } from "../../../lib/errors.js";
import { parseId } from "../../../lib/names.js";
import { parseTarget } from "../../../lib/ssh/target.js";
import { type Registrar, withExamples, withNotes } from "../command.js";
import type { Session } from "../session.js";
import { type Archive, findArchive, noArchive } from "./archive.js";
import type { HostBoard } from "./board.js";
import { configureHub } from "./configure.js";
import { type ConfigureFlags, editThere, readEdit, withSettings, withSettingsExamples } from "./configure-commands.js";
import { type Debs, findDebs } from "./debs.js";
import { Deltas } from "./delta.js";
import { type HubOptions, installHub } from "./install-hub.js";
import { remoteOptions, type SharedOptions, sshNotes, withArchive, withShared } from "./options.js";
import type { RemoteOptions } from "./remote.js";
import { type RollbackChoice, rollBackHub } from "./rollback.js";
import { type JobResult, runOnHosts } from "./run-hosts.js";
import type { SettingsEdit } from "./settings-text.js";
import type { Step } from "./step.js";

interface Options extends SharedOptions {
  readonly archive?: string;
  readonly name: string;
  readonly user?: string;
  readonly throughSsh?: boolean;
  readonly debs?: string;
}

/** What the hub's machine needs of Debian. */
const hubPackages = ["libatomic1", "perl-base"];

/** `zor hub install`, `upgrade`, `rollback` and `configure`; what else there is below `zor hub` is the hub's own program. */
export function define({ program, open }: Registrar): void {
  const hub = program
    .command("hub")
    .description("Put a hub on a machine. zor hub run, init and relay are of the hub itself: see zor hub run --help.")
    .helpCommand(false);
  defineInstall(hub, open);
  defineRollback(hub, open);
  defineConfigure(hub, open);
  for (const name of ["run", "init", "relay", "check-config"]) {
    hub
      .command(name, { hidden: true })
      .allowUnknownOption()
      .allowExcessArguments()
      .action(() => {
        throw invalidArgument("command", `zor hub ${name} is of the hub's own program; run it with the zor launcher`);
      });
  }
}

function defineInstall(hub: Command, open: Registrar["open"]): void {
  const command = withArchive(
    withShared(
      hub
        .command("install")
        .alias("upgrade")
        .description(
          "Put a hub on a machine by ssh, or bring one to another version: programs, settings, service, and a context here that leads to it, with you as its administrator. Agents, guests and links go on; a hub that does not answer goes back by itself.",
        )
        .argument("<user@host>", "[user@]host[:port]"),
    ),
  )
    .option("--name <context>", "name of the context", "hub")
    .option("--user <id>", "as whom you join (default: your name here)")
    .option("--through-ssh", "the hub listens on loopback alone; the context goes through ssh")
    .option(
      "--debs <directory>",
      "made by npm run package -- --only offline: Debian packages for a machine without a way to apt's archive",
    )
    .action(async (text: string, options: Options) => {
      const session = open(command);
      const context = parseId("--name", options.name);
      const person = parseId("--user", options.user ?? userInfo().username);
      const archive = await findArchive(options.archive);
      const throughSsh = options.throughSsh === true;
      await run(session, { text, options, archive, debs: await findDebs(options.debs) }, (hubOptions, step) =>
        installHub({ ...hubOptions, packages: hubPackages, context, person, throughSsh }, step),
      );
    });
  withNotes(command, sshNotes);
  withExamples(command, "zor hub install root@10.0.0.5 --name lab", "zor hub upgrade ops@hub7 --through-ssh");
}

function defineRollback(hub: Command, open: Registrar["open"]): void {
  const command = withShared(
    hub
      .command("rollback")
      .description(
        "Take a hub back to the version before, or another one that is kept beside it, by ssh. Agents, guests and links go on; a hub that does not answer then returns by itself to the version that it ran.",
      )
      .argument("<user@host>", "[user@]host[:port]"),
  )
    .option("--to <version>", "ID of the version, or its beginning (default: the one before)")
    .action(async (text: string, options: SharedOptions & RollbackChoice) => {
      const { to } = options;
      await run(open(command), { text, options, archive: noArchive, debs: undefined }, (hubOptions, step) =>
        rollBackHub({ ...hubOptions, to }, step),
      );
    });
  withNotes(command, sshNotes);
  withExamples(command, "zor hub rollback root@10.0.0.5", "zor hub rollback ops@hub7 --to 0.1.0-3f --dry-run");
}

function defineConfigure(hub: Command, open: Registrar["open"]): void {
  const command = withSettings(
    withShared(
      hub
        .command("configure")
        .description(
          "Change the settings of a hub (/etc/zor/hub.yaml), by ssh. Agents, guests and links go on; a hub that does not answer with them goes back to those before by itself.",
        )
        .argument("<user@host>", "[user@]host[:port]"),
    ),
  ).action(async (text: string, options: SharedOptions & ConfigureFlags) => {
    const session = open(command);
    const edit = await readEdit(options, session.io.signal);
    const where = { text, options, archive: noArchive, debs: undefined };
    const work = (changes: SettingsEdit, remote?: RemoteOptions) =>
      run(session, { ...where, remote }, (hubOptions, step) => configureHub({ ...hubOptions, edit: changes }, step));
    if (options.edit !== true) return work(edit);
    const remote = await remoteOptions(session, options, async (ask) => ask());
    const target = parseTarget("host", text);
    return editThere(session, remote, { target, unit: "zor-hub", work: (changes) => work(changes, remote) });
  });
  withNotes(command, sshNotes);
  withSettingsExamples(
    command,
    `zor hub configure root@10.0.0.5 --set 'metricsListen=["10.0.0.5:9464"]'`,
    "zor hub configure ops@hub7 --edit",
  );
}

/** Which hub, and how. */
interface Where {
  /** As it was named. */
  readonly text: string;
  readonly options: SharedOptions;
  readonly archive: Archive;
  readonly debs: Debs | undefined;
  /** How it is logged in to, when somebody was asked already. */
  readonly remote?: RemoteOptions | undefined;
}

async function run(
  session: Session,
  { text, options, archive, debs, remote: given }: Where,
  work: (options: HubOptions, step: Step) => Promise<JobResult>,
): Promise<void> {
  const target = parseTarget("host", text);
  let board: HostBoard | undefined;
  const remote =
    given ??
    (await remoteOptions(session, options, async (ask) => (board === undefined ? ask() : board.pausedFor(ask))));
  await using deltas = new Deltas(archive);
  const hubOptions: HubOptions = {
    ...{ session, archive, deltas, debs, remote, target, unit: "zor-hub", packages: [] },
    dryRun: options.dryRun === true,
  };
  const job = { name: target.host, run: (step: Step) => work(hubOptions, step) };
  await runOnHosts(session, [job], { output: options.output, maxParallel: 1 }, (made) => {
    board = made;
  });
}
