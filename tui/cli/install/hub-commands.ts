import { userInfo } from "node:os";
import { invalidArgument } from "../../../lib/errors.js";
import { parseId } from "../../../lib/names.js";
import { parseTarget } from "../../../lib/ssh/target.js";
import { type Registrar, withExamples, withNotes } from "../command.js";
import { findArchive } from "./archive.js";
import type { Board } from "./board.js";
import { type HubInstallOptions, installHub } from "./install-hub.js";
import { remoteOptions, type SharedOptions, sshNotes, withShared } from "./options.js";
import { runOnHosts } from "./run-hosts.js";

interface Options extends SharedOptions {
  readonly name: string;
  readonly user?: string;
  readonly throughSsh?: boolean;
  readonly debs?: string;
}

/** What the hub's machine needs of Debian. */
const hubPackages = ["libatomic1", "perl-base"];

/** `zor hub install`; what else there is below `zor hub` is the hub's own program. */
export function define({ program, open }: Registrar): void {
  const hub = program
    .command("hub")
    .description("Put a hub on a machine. zor hub run, init and relay are of the hub itself: see zor hub run --help.")
    .helpCommand(false);
  const command = withShared(
    hub
      .command("install")
      .alias("upgrade")
      .description(
        "Put a hub on a machine by ssh, or bring one to another version: programs, settings, service, and a context here that leads to it, with you as its administrator. Agents, guests and links go on; a hub that does not answer goes back by itself.",
      )
      .argument("<user@host>", "[user@]host[:port]"),
  )
    .option("--name <context>", "name of the context", "hub")
    .option("--user <id>", "as whom you join (default: your name here)")
    .option("--through-ssh", "the hub listens on loopback alone; the context goes through ssh")
    .option("--debs <directory>", "Debian packages to bring along, for a machine without a way to apt's archive")
    .action(async (text: string, options: Options) => {
      const session = open(command);
      const target = parseTarget("host", text);
      const context = parseId("--name", options.name);
      const person = parseId("--user", options.user ?? userInfo().username);
      const archive = await findArchive(options.archive);
      let board: Board | undefined;
      const remote = await remoteOptions(session, options, async (ask) =>
        board === undefined ? ask() : board.pausedFor(ask),
      );
      const install: HubInstallOptions = {
        ...{ session, archive, debs: options.debs, remote, target, context, person },
        ...{ unit: "zor-hub", packages: hubPackages, dryRun: options.dryRun === true },
        throughSsh: options.throughSsh === true,
      };
      const job = { name: target.host, run: (step: (text: string) => void) => installHub(install, step) };
      await runOnHosts(session, [job], { output: options.output, maxParallel: 1 }, (made) => {
        board = made;
      });
    });
  for (const name of ["run", "init", "relay"]) {
    hub
      .command(name, { hidden: true })
      .allowUnknownOption()
      .allowExcessArguments()
      .action(() => {
        throw invalidArgument("command", `zor hub ${name} is of the hub's own program; run it with the zor launcher`);
      });
  }
  withNotes(command, sshNotes);
  withExamples(command, "zor hub install root@10.0.0.5 --name lab", "zor hub upgrade ops@hub7 --through-ssh");
}
