import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { Connection } from "../../../lib/grpc/connection.js";
import { installationRoot, nodePath } from "../../../lib/program.js";
import { loadIdentity } from "../../../lib/tls/identity.js";
import { hubServerName } from "../../../lib/tls/join.js";
import { spawnOwned } from "../../helpers/owned.js";
import { quantile } from "../c2c/statistics.js";
import { type AgentsOrder, agentsVerb } from "./agents.js";
import { listAll, SteadyGets } from "./calls.js";
import { makeFleetState } from "./fleet-state.js";
import { HubProgram } from "./hub-program.js";
import type { FleetSize, Plan } from "./plan.js";
import { Watchers } from "./watchers.js";

/** What one round gave: times in ms unless they say otherwise, memory in MiB. */
export interface Round {
  /** From the start of the hub until the last host is READY, in seconds. */
  readonly syncSeconds: number;
  readonly syncCpuSeconds: number;
  /** Memory once all are back, and at most until then. */
  readonly rssMib: number;
  readonly peakMib: number;
  readonly stormGets: number;
  readonly stormGetP99: number;
  readonly stormGetMax: number;
  readonly stormLoopMax: number;
  /** Share of a core that the hub takes when nobody asks. */
  readonly idleCore: number;
  readonly listMs: number;
  readonly listLoopMax: number;
  readonly getP50: number;
  readonly getP99: number;
  readonly getLoopMax: number;
  readonly events: number;
  /** Changes that were made, times watchers. */
  readonly eventsExpected: number;
  readonly eventP50: number;
  readonly eventP99: number;
  readonly eventLoopMax: number;
  readonly eventCore: number;
  readonly endMib: number;
}

const listTimes = 5;
const idleMs = 5000;
const getsPerSecond = { storm: 50, idle: 100 };
const getMs = 5000;

/** A fleet whose hub has crashed: how long it takes to be back, what it costs, and how it serves. */
export async function runRound(plan: Plan, size: FleetSize, note: (text: string) => void): Promise<Round> {
  await using cleanup = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), "zt-bench-hub-"));
  cleanup.defer(() => rm(directory, { recursive: true, force: true }));
  const fleet = await makeFleetState(directory, size.hosts);
  const agents = await startAgents(fleet.identities, size, plan);
  cleanup.defer(() => agents.end());
  await fleet.register(agents.ports);
  await delay(1000);

  const began = performance.now();
  const hub = cleanup.use(new HubProgram(fleet.state, plan.profile));
  const address = await hub.address();
  const identity = await loadIdentity(join(fleet.state, "admin"));
  const connection = new Connection({ address, identity, serverName: hubServerName });
  cleanup.defer(() => connection.close());
  // What is measured are calls, as of a terminal program that is connected; and not how a program loads.
  await connection.ready(60_000);
  await hub.loop();
  const gets = new SteadyGets(connection, size, getsPerSecond.storm);
  await hub.ready(size.hosts);
  const syncSeconds = (performance.now() - began) / 1000;
  const syncCpuSeconds = hub.cpuSeconds();
  const storm = await gets.end();
  const { loopMaxMs: stormLoopMax } = await hub.loop();
  const { now: rssMib, peak: peakMib } = hub.memoryMib();
  note(
    `${size.hosts}x${size.instances}: back in ${syncSeconds.toFixed(1)} s, ${syncCpuSeconds.toFixed(1)} s of processor time, with ${Math.round(peakMib)} MiB`,
  );

  await delay(2000);
  const idleFrom = hub.cpuSeconds();
  await delay(idleMs);
  const idleCore = ((hub.cpuSeconds() - idleFrom) * 1000) / idleMs;
  await hub.loop();
  const lists: number[] = [];
  for (let time = 0; time < listTimes; time += 1) {
    const { count, ms } = await listAll(connection);
    if (count !== size.hosts * size.instances) throw new Error(`the hub lists ${count} instances`);
    lists.push(ms);
  }
  const { loopMaxMs: listLoopMax } = await hub.loop();

  await delay(1000);
  await hub.loop();
  const idleGets = new SteadyGets(connection, size, getsPerSecond.idle);
  await delay(getMs);
  const idle = await idleGets.end();
  const { loopMaxMs: getLoopMax } = await hub.loop();

  const snapshot = size.hosts * size.instances + 2;
  const watchers = await Watchers.start({ address, identity, count: plan.watchers, snapshot });
  cleanup.defer(() => watchers.close());
  await delay(2000);
  await hub.loop();
  watchers.count();
  const eventsFrom = hub.cpuSeconds();
  agents.order({ changesPerSecond: plan.changesPerSecond });
  await delay(plan.eventSeconds * 1000);
  agents.order({ changesPerSecond: 0 });
  await delay(1000);
  const eventCore = (hub.cpuSeconds() - eventsFrom) / (plan.eventSeconds + 1);
  const { loopMaxMs: eventLoopMax } = await hub.loop();
  return {
    ...{ syncSeconds, syncCpuSeconds, rssMib, peakMib, stormLoopMax, idleCore, listLoopMax, getLoopMax, eventLoopMax },
    stormGets: storm.length,
    stormGetP99: quantile(storm, 0.99) ?? 0,
    stormGetMax: Math.max(0, ...storm),
    listMs: quantile(lists, 0.5) ?? 0,
    getP50: quantile(idle, 0.5) ?? 0,
    getP99: quantile(idle, 0.99) ?? 0,
    events: watchers.latenciesMs.length,
    eventsExpected: plan.changesPerSecond * plan.eventSeconds * plan.watchers,
    eventP50: quantile(watchers.latenciesMs, 0.5) ?? 0,
    eventP99: quantile(watchers.latenciesMs, 0.99) ?? 0,
    eventCore,
    endMib: hub.memoryMib().now,
  };
}

async function startAgents(identities: string, size: FleetSize, plan: Plan) {
  const words = [agentsVerb, identities, String(size.instances), String(plan.countersSeconds)];
  const child = spawnOwned(nodePath, [join(installationRoot, "dist/bench.js"), ...words], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const { stdin, stdout } = child;
  if (stdin === null || stdout === null) throw new Error("the agents have no pipes");
  const ports = await new Promise<number[]>((resolve, reject) => {
    child.once("exit", () => reject(new Error("the agents have ended")));
    createInterface({ input: stdout }).once("line", (line) => resolve(JSON.parse(line) as number[]));
  });
  return {
    ports,
    order: (order: AgentsOrder) => stdin.write(`${JSON.stringify(order)}\n`),
    end: async () => {
      const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
      stdin.end();
      await ended;
    },
  };
}
