import { join } from "node:path";
import { text } from "node:stream/consumers";
import { status } from "@grpc/grpc-js";
import { Command, CommanderError, Option } from "commander";
import { loadConfig } from "../lib/config.js";
import { checkConfig, describeCheck } from "../lib/config-check.js";
import { endSignal } from "../lib/end-signals.js";
import { messageOf, ZorError } from "../lib/errors.js";
import { exitWhenFlushed, tellLostOutput } from "../lib/exit.js";
import { isOnlyForgottenFile } from "../lib/forgotten-file.js";
import { createLog } from "../lib/log.js";
import { KeptLog } from "../lib/logs/kept-log.js";
import { version } from "../lib/program.js";
import { timeLimit } from "../lib/time-limit.js";
import { usageErrorOutput } from "../lib/usage-error-output.js";
import { Fingerprint } from "../proto/gen/zor/v1/host.js";
import { type AgentConfig, agentConfigSchema, settle } from "./config.js";
import { keptOnHost } from "./config-keys.js";
import { probeDriver } from "./drivers/probe.js";
import { createDrivers } from "./drivers/registry.js";
import { findObstacles, formatFingerprint } from "./host/doctor.js";
import { type Probe, takeFingerprint } from "./host/fingerprint.js";
import { isHostStopping } from "./host/host-stopping.js";
import { shellCapability } from "./host/shell/shell-policy.js";
import { storeDirectory } from "./images/store-paths.js";
import { joinAsHost } from "./join.js";
import { askToShutdownGuests } from "./local-control.js";
import { guardPhy } from "./network/phys/roll-back.js";
import { runAgent } from "./run.js";

// sysexits(3).
const exitCodes = { failure: 1, usage: 64, software: 70, config: 78 } as const;
const longestEndMs = 10_000;

interface Flags {
  readonly config?: string;
  readonly host?: string;
  readonly state?: string;
  readonly listen?: string[];
  readonly underlay?: string[];
  readonly cableListen?: string;
  readonly imageDir?: string[];
  readonly netns?: string;
  readonly dialOut?: boolean;
  readonly undialable?: boolean;
  readonly allowPlainLinks?: boolean;
  readonly containerCapabilities?: string[];
}

tellLostOutput();
const program = new Command("zor")
  .version(version)
  .exitOverride()
  // "agent" or "doctor": the launcher passes it on.
  .configureOutput(usageErrorOutput(`zor ${process.argv[2] ?? "agent"}`));
const agent = program.command("agent").description("the daemon of a host: it runs instances, lans and link ends");

addSettings(agent.command("run").description("run the agent in the foreground; log lines go to standard error"))
  .option("--cable-listen <ip:port>", "address of the cable engine, for links (default 127.0.0.1:7444)")
  .option("--netns <name>", "net namespace of the switch (default zor-HOST)")
  .option(
    "--image-dir <dir...>",
    "directories that images may come from (default STATE/images, /var/lib/zor/images and those of the archive)",
  )
  .option("--allow-plain-links", "links may go without encryption where the other host allows it too")
  .option(
    "--container-capabilities <name...>",
    "capabilities beyond the harmless ones that containers may ask for (default none); see capabilities(7)",
  )
  .addHelpText(
    "after",
    `
Settings come from flags, then ZOR_AGENT_HOST, ZOR_AGENT_STATE and
ZOR_AGENT_NETNS, then the YAML file of --config, then what "agent join" was
told. The host needs an identity first: see "zor agent join --help".

Examples:
  zor agent run --listen 10.0.0.5:7443 --underlay 10.0.0.5 --cable-listen 10.0.0.5:7444
  zor agent run --config /etc/zor/agent.yaml
  zor agent run --dial-out          # for a host behind NAT: it dials the hub

SIGTERM ends the agent; instances, lans and links go on and are taken up at the
next start. Exit codes: 0 ended by SIGTERM or SIGINT, 1 failed, 64 wrong usage,
70 a fault in the program, 78 wrong settings.`,
  )
  .action(async (flags: Flags) => run(await readConfig(flags)));

addSettings(
  agent
    .command("join")
    .description("turn a token of the hub into this host's identity")
    .argument("<token>", "from an admin; - reads it from standard input"),
)
  .addHelpText(
    "after",
    `
Get a token with "zor host add HOST" on a machine that may administer the hub.
It works once. The address of --listen is where the hub will dial this agent;
with --dial-out the agent dials the hub instead.

Example:
  zor agent join zor1.WyIx… --listen 10.0.0.5:7443 --underlay 10.0.0.5`,
  )
  .action(async (token: string, flags: Flags) => {
    const config = await readConfig(flags);
    const host = await joinAsHost(token === "-" ? await text(process.stdin) : token, config);
    console.log(`joined as hosts/${host}; start the agent with: zor agent run --state ${config.state}`);
  });

agent
  .command("shutdown-guests")
  .description("end what runs on this host as its host_shutdown says, because the host shuts down")
  .option("--config <file>", "YAML file with the agent's settings")
  .option("--state <dir>", "state directory of the agent (default /var/lib/zor/agent)")
  .option("--only-when-host-stops", "do nothing unless systemd says that the host is stopping")
  .addHelpText(
    "after",
    `
The agent must run. Guests that are asked to shut down have the grace of their
specification, and are stopped after it; what is started again at boot goes by
host_boot. This is what deploy/systemd/zor-guests.service calls; ending or
restarting the agent itself does nothing to guests. Exit code 0: nothing that
was to be ended runs; 1: something does, or no agent answers.

Example:
  zor agent shutdown-guests`,
  )
  .action(async (flags: Flags & { readonly onlyWhenHostStops?: boolean }) => {
    if (flags.onlyWhenHostStops === true && !(await isHostStopping())) {
      console.log("the host is not shutting down: guests are left alone");
      return;
    }
    const left = await askToShutdownGuests((await readConfig(flags)).state, (text) => console.log(text));
    if (left > 0) process.exitCode = exitCodes.failure;
  });

agent
  .command("check-config")
  .description("check a file of settings before an agent runs with it; nothing is started or changed")
  .argument("<file>", "YAML file with the agent's settings")
  .option("--before <file>", "the file in use: tells what differs, and what of it may be changed from afar")
  .addOption(new Option("-o, --output <format>", "output").choices(["text", "json"]).default("text"))
  .addHelpText(
    "after",
    `
It is checked by the schema of this very version. This is what "zor host
configure" asks on the host. Exit code 0: an agent can run with it; 78: wrong
settings, each told with its line.

Example:
  zor agent check-config /etc/zor/agent.yaml`,
  )
  .action(async (file: string, { before, output }: { readonly before?: string; readonly output: string }) => {
    const check = await checkConfig(agentConfigSchema, { file, before, kept: keptOnHost });
    const { listen = [], state } = check.settings;
    const told = { ...check, settings: { listen, state } };
    console.log(output === "json" ? JSON.stringify(told) : describeCheck(check));
  });

agent
  // The agent starts it itself, beside what has to be confirmed.
  .command("guard-phy", { hidden: true })
  .requiredOption("--state <dir>", "state directory of the agent")
  .requiredOption("--switch <netns>", "net namespace of the switch")
  .requiredOption("--agent-uid <uid>", "identity of the agent")
  .requiredOption("--uid <uid>", "identity of the phy")
  .action(async (given: Readonly<Record<"state" | "switch" | "agentUid" | "uid", string>>) => {
    await guardPhy({ state: given.state, netns: given.switch, agentUid: given.agentUid, uid: given.uid });
  });

program
  .command("doctor")
  .description("show what this machine can do as a host, and what each missing thing needs")
  .addOption(new Option("-o, --output <format>", "output").choices(["table", "json"]).default("table"))
  .option("--config <file>", "YAML file with the agent's settings")
  .option("--state <dir>", "state directory of the agent (default /var/lib/zor/agent)")
  .option("--image-dir <dir...>", "directories that images may come from")
  .addHelpText(
    "after",
    `
No agent need run. Exit code 0: this machine can run an agent; 1: something required is missing.

Examples:
  zor doctor
  zor doctor -o json
  zor doctor link demo              # another command: what is wrong with a link; see zor doctor link --help`,
  )
  .action(async (flags: Flags & { readonly output: string }) => doctor(await readConfig(flags), flags.output));

try {
  await program.parseAsync();
} catch (error) {
  fail(error);
}
await exitWhenFlushed(typeof process.exitCode === "number" ? process.exitCode : 0);

function addSettings(command: Command): Command {
  return command
    .option("--config <file>", "YAML file with settings, named like the flags in camelCase (host, state, listen, …)")
    .option("--host <id>", "id of this host (default: the one in its identity)")
    .option("--state <dir>", "state directory (default /var/lib/zor/agent)")
    .option("--listen <ip:port...>", "addresses of the API (default 127.0.0.1:7443)")
    .option("--underlay <ip...>", "addresses at which other hosts reach this one for links, best first")
    .option("--dial-out", "dial the hub instead of waiting for it")
    .option("--undialable", "no other host can open a connection to this one");
}

async function readConfig(given: Flags): Promise<AgentConfig> {
  const { host, state, listen, underlay, cableListen, imageDir, netns, dialOut, undialable } = given;
  const { allowPlainLinks, containerCapabilities } = given;
  return loadConfig(agentConfigSchema, {
    file: given.config,
    flags: {
      ...{ host, state, listen, underlay, cableListen, imageDirs: imageDir },
      ...{ netns, dialOut, undialable, allowPlainLinks, containerCapabilities },
    },
    env: {
      host: process.env["ZOR_AGENT_HOST"],
      state: process.env["ZOR_AGENT_STATE"],
      netns: process.env["ZOR_AGENT_NETNS"],
    },
  });
}

async function run(config: AgentConfig): Promise<void> {
  const ending = endSignal({ longestMs: longestEndMs, lateCode: exitCodes.failure });
  const keptLog = new KeptLog(join(config.state, "log"), "agent");
  const log = createLog("agent", keptLog);
  const crash = (error: unknown): void => {
    if (isOnlyForgottenFile(error, log)) return;
    log.fatal({ err: error }, "the agent ends because of a fault in the program; instances go on");
    process.exit(exitCodes.software);
  };
  process.on("uncaughtException", crash);
  process.on("unhandledRejection", crash);
  try {
    await runAgent(config, { log, keptLog }, ending);
  } catch (error) {
    log.fatal({ err: error }, messageOf(error));
    process.exit(exitCodeOf(error));
  }
  // Connections to guests would keep the process alive.
  process.exit(0);
}

async function doctor(config: AgentConfig, output: string): Promise<void> {
  const settings = settle(config, undefined, "localhost");
  const log = createLog("doctor");
  const {
    imageDirs,
    state: stateDirectory,
    containerCapabilities,
    containers,
    engines,
    registries,
    disk,
    libvirt,
    hostShell,
  } = settings;
  // What was brought here under a name comes before what lies about under it.
  const imageDirectories = [storeDirectory(stateDirectory), ...imageDirs];
  const common = { imageDirectories, stateDirectory, containerCapabilities, containers, engines, registries };
  const drivers = createDrivers({ ...common, disk, libvirt, log });
  const fingerprint = await takeFingerprint({
    probes: [
      ...drivers.map(
        (driver): Probe =>
          (call) =>
            probeDriver(driver, call),
      ),
      async () => [shellCapability(hostShell)],
    ],
    imageDirs: settings.imageDirs,
    stateDirectory: settings.state,
    signal: timeLimit(60_000),
  });
  const text =
    output === "json"
      ? `${JSON.stringify(Fingerprint.toJSON(fingerprint), undefined, 2)}\n`
      : formatFingerprint(fingerprint);
  process.stdout.write(text);
  process.exitCode = findObstacles(fingerprint).length === 0 ? 0 : exitCodes.failure;
}

function fail(error: unknown): void {
  if (error instanceof CommanderError) {
    // commander has said what is wrong; asking for help or the version is no error.
    process.exitCode = error.exitCode === 0 ? 0 : exitCodes.usage;
    return;
  }
  console.error(`zor: ${messageOf(error)}`);
  process.exitCode = exitCodeOf(error);
}

function exitCodeOf(error: unknown): number {
  return error instanceof ZorError && error.code === status.INVALID_ARGUMENT ? exitCodes.config : exitCodes.failure;
}
