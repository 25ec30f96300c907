// Many machines on one host, made one after the other with `zor create`, against a loop that runs the same command lines of QEMU:
// npm run bench -- machines [--count N] [--json]. With --json standard output is one object and the table goes to standard error.
import { watch } from "node:fs";
import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { cpus, release, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { endProcess, findIdentity } from "../../lib/process.js";
import { installationRoot } from "../../lib/program.js";
import { HostServiceService } from "../../proto/gen/zor/v1/host_service.js";
import { InstanceServiceService } from "../../proto/gen/zor/v1/instance_service.js";
import { Role } from "../../proto/gen/zor/v1/token_service.js";
import { eventually } from "../helpers/eventually.js";
import { makeNetns } from "../helpers/netns.js";
import { spawnOwned } from "../helpers/owned.js";
import { AgentProcess } from "../integration/agent/agent-process.js";
import { cpuSeconds, processesOf } from "./machines/memory.js";
import { type Copy, type Recorded, record, runCopy } from "./machines/recorded.js";

const { values } = parseArgs({ options: { json: { type: "boolean" }, count: { type: "string", default: "50" } } });
const count = Number(values.count);
if (!Number.isInteger(count) || count < 1 || count > 200) {
  console.error("npm run bench -- machines [--count N] [--json]");
  process.exit(2);
}

/** What the micro guest says on its serial port when it is up. */
const words = "zor: userland is up";
const images = { kernel: "/var/lib/zor/images/micro/vmlinuz", initrd: "/var/lib/zor/images/micro/initrd.img" };
const idleSeconds = 20;
const limits = { start50_vs_loop: 1.05, mib_per_guest: 5, agent_idle_core: 0.03 } as const;
const ids = Array.from({ length: count }, (_, index) => `m${index}`);

/** What was measured of the machines of the agent. */
interface Figures {
  readonly seconds: number;
  readonly mibPerGuest: number;
  readonly guestMib: number;
  readonly idleCore: number;
  readonly recorded: readonly Recorded[];
}

const directory = await mkdtemp(join(tmpdir(), "zt-bench-"));
try {
  const figures = await withAgent();
  process.stderr.write(`${count} machines by the agent: ${figures.seconds.toFixed(1)} s\n`);
  const loopSeconds = await withLoop(figures.recorded);
  report(figures, loopSeconds);
} finally {
  await rm(directory, { recursive: true, force: true });
}
process.exit(0);

async function withAgent(): Promise<Figures> {
  const agent = await AgentProcess.create();
  try {
    await agent.start();
    const identity = join(directory, "identity");
    await agent.pki.issue({ kind: "user", id: "bench", role: Role.ROLE_OPERATOR }, { directory: identity });
    const env = { PATH: process.env["PATH"], HOME: directory, ZOR_CONFIG: join(directory, "config") };
    const zor = (...argv: string[]) => run([join(installationRoot, "zor"), ...argv], env);
    await zor(
      "context",
      "add",
      "bench",
      "--address",
      await agent.address(),
      "--identity",
      identity,
      "--agent",
      agent.host,
    );
    await zor("create", "lan", `${agent.host}/lab`);
    await untilProbed(agent);
    const began = performance.now();
    const waiting: Promise<void>[] = [];
    for (const id of ids) {
      await zor("create", "instance", `${agent.host}/${id}`, "--kernel", "micro", "--nic", "lan=lab");
      const words = waitForWords(join(agent.state, "instances", id));
      // Told when all are waited for.
      words.catch(() => undefined);
      waiting.push(words);
    }
    await Promise.all(waiting);
    const seconds = (performance.now() - began) / 1000;
    const recorded = await recordAll(agent);
    const [before, from] = [await cpuSeconds(agent.pid), performance.now()];
    await new Promise((resolve) => setTimeout(resolve, idleSeconds * 1000));
    const idleCore = ((await cpuSeconds(agent.pid)) - before) / ((performance.now() - from) / 1000);
    const processes = await processesOf(agent.state);
    const mib = (isGuest: boolean) =>
      processes.filter((each) => each.isGuest === isGuest).reduce((sum, { pssKib }) => sum + pssKib, 0) / 1024;
    return { seconds, mibPerGuest: mib(false) / count, guestMib: mib(true) / count, idleCore, recorded };
  } finally {
    await agent.destroy();
  }
}

/** Waits until a new agent has found out what its host can, which takes seconds, once: the loop is given its result. */
async function untilProbed(agent: AgentProcess): Promise<void> {
  const connection = await agent.connect();
  await eventually(async () => {
    const { host } = await connection.unary(HostServiceService.getHost, { name: `hosts/${agent.host}` });
    if (host?.fingerprint?.capabilities.some(({ id }) => id === "driver.qemu.kvm") !== true)
      throw new Error("no verdict on KVM");
  });
  connection.close();
}

async function recordAll(agent: AgentProcess): Promise<Recorded[]> {
  const connection = await agent.connect();
  const list = { parent: `hosts/${agent.host}`, pageSize: 0, pageToken: "", filter: "", orderBy: "" };
  const { instances } = await connection.unary(InstanceServiceService.listInstances, list);
  connection.close();
  return Promise.all(instances.map(({ status }) => record(Number(status?.pid ?? 0n), images)));
}

/** The same command lines, one after the other, with nobody who looks after them; resolves to the seconds until all guests are up. */
async function withLoop(recorded: readonly Recorded[]): Promise<number> {
  await using netns = await makeNetns("bench");
  const copies: Copy[] = [];
  try {
    await mkdir(join(directory, "loop"));
    const began = performance.now();
    for (const [index, each] of recorded.entries()) {
      const tap = `zt${index}`;
      await netns.addTap(tap);
      copies.push(await runCopy(each, { directory: join(directory, "loop", tap), netns: netns.name, tap, words }));
    }
    await Promise.all(copies.map(({ answered }) => answered));
    return (performance.now() - began) / 1000;
  } finally {
    for (const { pid, close, answered } of copies) {
      answered.catch(() => undefined);
      close();
      const identity = await findIdentity(pid);
      if (identity !== undefined) await endProcess(identity, 0);
    }
  }
}

/** Waits until the history of the console of a machine that is there has the words. @throws when they do not come in ten minutes. */
function waitForWords(instance: string): Promise<void> {
  const driver = join(instance, "driver");
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let said = "";
  const look = async (): Promise<void> => {
    said = await readFile(join(driver, "console.log"), "latin1").catch(() => "");
    if (said.includes(words)) resolve();
  };
  const watcher = watch(driver, () => void look()).on("error", reject);
  const overdue = setTimeout(() => {
    reject(new Error(`the guest of ${instance} is not up: ${said.slice(-300)}`));
  }, 600_000);
  // What it said before it was watched.
  void look();
  return promise.finally(() => {
    watcher.close();
    clearTimeout(overdue);
  });
}

/** Runs a command to its end. @throws when it fails. */
async function run([file, ...argv]: readonly [string, ...string[]], env: NodeJS.ProcessEnv): Promise<void> {
  const child = spawnOwned(file, argv, { env, stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk: Buffer) => {
      said += chunk.toString();
    });
  }
  const code = await new Promise((resolve) => child.once("close", resolve));
  if (code !== 0) throw new Error(`${file} ${argv.join(" ")}: ${said.trim()}`);
}

function report({ seconds, mibPerGuest, guestMib, idleCore }: Figures, loopSeconds: number): void {
  const machine = `${cpus().length} x ${cpus()[0]?.model.trim() ?? "?"}, Linux ${release()}`;
  const bars = { start50_vs_loop: seconds / loopSeconds, mib_per_guest: mibPerGuest, agent_idle_core: idleCore };
  const verdict = (name: keyof typeof limits) =>
    `${name} ${bars[name].toFixed(3)}, at most ${limits[name]}: ${bars[name] <= limits[name] ? "met" : "missed"}`;
  const table = [
    `${machine}; ${count} machines of the micro image, each with an interface in a lan`,
    "",
    `zor create, one after the other   ${seconds.toFixed(1)} s until all guests are up`,
    `a loop of the same command lines  ${loopSeconds.toFixed(1)} s`,
    `memory (PSS) of a QEMU            ${guestMib.toFixed(1)} MiB`,
    `of all else, for each             ${mibPerGuest.toFixed(2)} MiB`,
    `agent afterwards                  ${(idleCore * 100).toFixed(2)} % of a core over ${idleSeconds} s`,
    "",
    verdict("start50_vs_loop"),
    verdict("mib_per_guest"),
    verdict("agent_idle_core"),
  ].join("\n");
  if (values.json !== true) {
    console.log(table);
    return;
  }
  process.stderr.write(`${table}\n`);
  console.log(JSON.stringify({ machine, count, seconds, loopSeconds, guestMib, bars }, undefined, 2));
}
