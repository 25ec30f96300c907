import { join } from "node:path";
import { Command, Option } from "commander";
import { loadConfig } from "../lib/config.js";
import { checkConfig, describeCheck } from "../lib/config-check.js";
import { ended, endSignal } from "../lib/end-signals.js";
import { messageOf } from "../lib/errors.js";
import { exitWhenFlushed, tellLostOutput } from "../lib/exit.js";
import { isOnlyForgottenFile } from "../lib/forgotten-file.js";
import { createLog } from "../lib/log.js";
import { KeptLog } from "../lib/logs/kept-log.js";
import { MemoryKeeper, mapLargeBlocks, ownMemory } from "../lib/memory-keeper.js";
import { version } from "../lib/program.js";
import { usageErrorOutput } from "../lib/usage-error-output.js";
import { counted, listed } from "../lib/words.js";
import { hubConfigSchema } from "./config.js";
import { Hub } from "./daemon.js";
import { relayBuild } from "./relay/kept/build.js";
import { RelayConnection } from "./relay/kept/relay-connection.js";
import { endRelays } from "./relay/kept/relay-process.js";
import { openState } from "./state-directory.js";

interface Flags {
  readonly config?: string;
  readonly name?: string;
  readonly state?: string;
  readonly listen?: string[];
  readonly joinListen?: string[];
  readonly reverseListen?: string[];
  readonly relayListen?: string[];
  readonly relayAdvertise?: string[];
  readonly advertise?: string[];
}

/** A hub that has not ended after so long is stuck: what is acknowledged is on disk. */
const longestEndMs = 30_000;

const afterHelp = `
The first start makes the hub's own certificate authority and the identity of the local admin, STATE/admin.
Use it, as root on this machine, with:
  zor context add local --address 127.0.0.1:7440 --identity /var/lib/zor/hub/admin --use

Examples:
  zor hub run                                        a hub for this machine only
  zor hub run --listen 10.0.0.1:7440 --join-listen 10.0.0.1:7441 --reverse-listen 10.0.0.1:7442
  zor hub run --listen 10.0.0.1:7440 --relay-listen 10.0.0.1:7445    joins hosts that cannot reach each other
  zor hub run --config /etc/zor/hub.yaml             settings from a file; flags win over it

An address is "ip:port" or "name:port". One that this machine does not have yet is told in the log and taken as soon as it comes.

Then, for every host:
  zor host add alpha                                 prints a token, good once
  zor agent join TOKEN && zor agent run              on the host

Environment: ZOR_LOG=debug for more log. The log goes to standard error as JSON lines.
Exit codes: 0 ended by SIGTERM or SIGINT, 1 could not start, 2 wrong usage or settings, 70 a fault in the program.
`;

function withFlags(command: Command): Command {
  return command
    .option("--config <file>", "YAML file with settings; flags win over it")
    .option("--name <name>", 'name of this hub, as agents see it (default "hub")')
    .option(
      "--state <dir>",
      'state directory (default "/var/lib/zor/hub", for ordinary users "$XDG_STATE_HOME/zor/hub")',
    )
    .option("--listen <address...>", 'addresses of the API (default "127.0.0.1:7440")')
    .option("--join-listen <address...>", 'addresses at which hosts and people join (default "127.0.0.1:7441")')
    .option("--reverse-listen <address...>", 'addresses for agents that dial out (default "127.0.0.1:7442")')
    .option(
      "--relay-listen <address...>",
      'addresses at which hosts that cannot reach each other are joined (default "127.0.0.1:7445", at which none is)',
    )
    .option(
      "--relay-advertise <address...>",
      "addresses of the relay as hosts reach it, when they differ from --relay-listen",
    )
    .option("--advertise <address...>", "addresses of the API as others reach it, when they differ from --listen")
    .addHelpText("after", afterHelp);
}

async function run(flags: Flags): Promise<void> {
  const ending = endSignal({ longestMs: longestEndMs, lateCode: 1 });
  mapLargeBlocks();
  const config = await configOf(flags);
  const keptLog = new KeptLog(join(config.state, "log"), "hub");
  const log = createLog("hub", keptLog);
  for (const event of ["uncaughtException", "unhandledRejection"] as const) {
    process.on(event, (error: unknown) => {
      if (isOnlyForgottenFile(error, log)) return;
      log.fatal({ err: error }, "the hub ends because of a fault in the program; hosts go on without it");
      process.exit(70);
    });
  }
  const hub = await Hub.start({ config, log, keptLog });
  log.info({ ...hub.addresses, version, pid: process.pid, admin: hub.adminDirectory }, "hub is serving");
  new MemoryKeeper(ownMemory(), (given) => log.info(given, "memory was given back")).start();
  log.info({ signal: await ended(ending) }, "hub is ending; hosts go on without it");
  await hub.close();
}

async function init(flags: Flags): Promise<void> {
  const config = await configOf(flags);
  const state = await openState(config, new Date());
  await state.close();
  process.stdout.write(
    `The hub's state is in ${config.state}.\nIdentity of the local admin: ${state.adminDirectory}\nStart the hub with: zor hub run --state ${config.state}\n`,
  );
}

async function relay({ renew, ...flags }: Flags & { readonly renew?: true }): Promise<void> {
  const directory = join((await configOf(flags)).state, "relay");
  const found = await RelayConnection.open(directory);
  if (found === undefined) {
    process.stdout.write("No relay runs: no other machine could reach it, or the hub has never run.\n");
    return;
  }
  const { pid, pairs, addresses, build } = found.hello;
  const version = build === (await relayBuild()) ? "of this version" : "of another version";
  process.stdout.write(
    `The relay, pid ${pid}, ${version}, serves at ${listed(addresses)} and carries ${counted(pairs, "link")}.\n`,
  );
  if (renew === true) {
    found.send({ type: "end" });
    await endRelays(directory);
    process.stdout.write("It was ended; a hub that runs starts another one, and links come back by themselves.\n");
  }
  await found.close();
}

/** Where its database and certificate authority are: with another one it would be another hub. */
const keptOnHub = { state: "the fleet's database and certificates lie there; move them by hand, with the hub stopped" };

async function check(file: string, { before, output }: { readonly before?: string; readonly output: string }) {
  const found = await checkConfig(hubConfigSchema, { file, before, kept: keptOnHub });
  const { listen, state } = found.settings;
  const told = { ...found, settings: { listen, state } };
  process.stdout.write(`${output === "json" ? JSON.stringify(told) : describeCheck(found)}\n`);
}

function configOf({ config, ...flags }: Flags) {
  return loadConfig(hubConfigSchema, { file: config, flags });
}

const program = new Command("zor hub")
  .description("The hub: aggregates the agents of a fleet of lab hosts and brokers cables between them.")
  .version(version)
  .configureOutput(usageErrorOutput("zor hub"))
  .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2));
withFlags(program.command("run").description("run the hub until SIGTERM")).action(run);
withFlags(
  program
    .command("init")
    .description("make the state directory, the certificate authority and the local admin, and end"),
).action(init);
withFlags(
  program
    .command("relay")
    .description("show the relay of links, which outlives the hub")
    .option("--renew", "end it, so that one of this version is started: its links are cut and come back by themselves"),
).action(relay);
program
  .command("check-config")
  .description("check a file of settings before a hub runs with it; nothing is started or changed")
  .argument("<file>", "YAML file with the hub's settings")
  .option("--before <file>", "the file in use: tells what differs, and what of it may be changed from afar")
  .addOption(new Option("-o, --output <format>", "output").choices(["text", "json"]).default("text"))
  .addHelpText("after", "\nExample:\n  zor hub check-config /etc/zor/hub.yaml")
  .action(check);

tellLostOutput();
try {
  await program.parseAsync(process.argv.slice(3), { from: "user" });
  await exitWhenFlushed(0);
} catch (error) {
  process.stderr.write(`zor hub: ${messageOf(error)}\n`);
  const usage = error instanceof Error && "reason" in error && error.reason === "BAD_CONFIG";
  process.exit(usage ? 2 : 1);
}
