import { availableParallelism, cpus, release } from "node:os";
import { setTimeout as delay } from "node:timers/promises";
import { messageOf } from "../../../lib/errors.js";
import { chooseCongestion, usualCongestion } from "./congestion.js";
import { busySeconds } from "./cpu.js";
import { measureFlood } from "./flood.js";
import { type BenchHost, makeHosts } from "./hosts.js";
import { HostPaths } from "./host-paths.js";
import { measureIdle } from "./idle.js";
import { LanPaths } from "./lan-paths.js";
import type { BenchPath, MissingPath, PathName } from "./path.js";
import type { MeasureName, Plan } from "./plan.js";
import { startRelay } from "./relay.js";
import type { BenchResults, PathRound } from "./results.js";
import { median } from "./statistics.js";
import { makeTapCables, makeTapQemu, makeTapVxlan, makeUnderlay } from "./tap-paths.js";
import { makeWireVxlan, WirePaths } from "./wire-paths.js";
import { makeTapWireguard } from "./wireguard-path.js";
import { measureTcp, pingTimes, serveTcp } from "./traffic.js";

type Hosts = readonly [BenchHost, BenchHost];
type Note = (text: string) => void;

/** Sets everything up, measures and takes everything down again, also when the signal ends it. */
export async function runBench(plan: Plan, signal: AbortSignal, note: Note): Promise<BenchResults> {
  const machine = await describeMachine(signal);
  await using cleanup = new AsyncDisposableStack();
  const hosts = await makeHosts(cleanup);
  const { paths, missing } = await makePaths(plan, hosts, cleanup, { signal, note });
  if (plan.congestion !== undefined) for (const path of paths) await chooseCongestion(path, plan.congestion);
  for (const path of paths) await serveTcp(path, hosts[1].directory, cleanup);
  const rounds = new Map<PathName, PathRound[]>(paths.map(({ name }) => [name, []]));
  for (let round = 0; round < plan.rounds && paths.length > 0; round += 1) {
    note(`round ${round + 1} of ${plan.rounds}`);
    const results = new Map<PathName, PathRound>();
    for (const measure of plan.measures) {
      // Each measure of all paths shortly after one another: what disturbs the machine meanwhile disturbs all alike.
      for (const path of paths) {
        const figures = await attempt(() => take(measure, path, plan, signal), {
          signal,
          failed: (why) => note(`${path.name} ${measure}: ${why}`),
        });
        results.set(path.name, { ...results.get(path.name), ...figures });
      }
    }
    for (const [name, result] of results) rounds.get(name)?.push(result);
  }
  if (plan.idle) note(`idle cables: ${plan.idleCounts.join(", ")}`);
  const idleOptions = { counts: plan.idleCounts, seconds: plan.idleSeconds };
  const idle = plan.idle ? await measureIdle(hosts, idleOptions, signal) : [];
  const congestion = plan.congestion ?? (await usualCongestion());
  return { machine: { ...machine, congestion }, rounds, missing, idle };
}

/** Tries three times: a server of iperf3 may still be busy with a client that was cut off. What stays without figures is told. */
async function attempt(
  work: () => Promise<PathRound>,
  { signal, failed }: { readonly signal: AbortSignal; readonly failed: (why: string) => void },
): Promise<PathRound> {
  for (let left = 2; ; left -= 1) {
    try {
      return await work();
    } catch (error) {
      signal.throwIfAborted();
      failed(messageOf(error));
      if (left === 0) return {};
      await delay(1_000, undefined, { signal });
    }
  }
}

async function take(measure: MeasureName, path: BenchPath, plan: Plan, signal: AbortSignal): Promise<PathRound> {
  await path.use();
  const tcp = (streams: number, reverse: boolean) =>
    measureTcp(path, { streams, reverse, seconds: plan.tcpSeconds, ping: streams === 1 }, signal);
  switch (measure) {
    case "tcp1":
      return { tcp1Forward: await tcp(1, false), tcp1Reverse: await tcp(1, true) };
    case "tcp4":
      return { tcp4Forward: await tcp(4, false), tcp4Reverse: await tcp(4, true) };
    case "frames":
      return { framesPerSecond: await measureFlood(path, plan.floodSeconds, signal) };
    case "rtt": {
      const rttMs = median(await pingTimes(path, { count: plan.pings, intervalMs: 5 }, signal));
      return rttMs === undefined ? {} : { rttMs };
    }
  }
}

async function makePaths(
  plan: Plan,
  hosts: Hosts,
  cleanup: AsyncDisposableStack,
  { signal, note }: { readonly signal: AbortSignal; readonly note: Note },
): Promise<{ readonly paths: readonly BenchPath[]; readonly missing: readonly MissingPath[] }> {
  const tapCables = lazy(() => makeTapCables(hosts, cleanup));
  const lanPaths = lazy(() => LanPaths.open(hosts, cleanup));
  const hostPaths = lazy(() => HostPaths.open(hosts[0], cleanup));
  const wirePaths = lazy(() => WirePaths.open(hosts, cleanup));
  const makers: Readonly<Record<PathName, () => Promise<BenchPath>>> = {
    underlay: () => makeUnderlay(hosts, cleanup),
    "tap-vxlan": () => makeTapVxlan(hosts, cleanup),
    "tap-qemu": () => makeTapQemu(hosts, cleanup),
    "tap-plain": async () => (await tapCables())("tap-plain", 3, { encryption: "none" }),
    "tap-tls": async () => (await tapCables())("tap-tls", 4, { encryption: "tls" }),
    "tap-relayed": async () => {
      const access = await startRelay(hosts, cleanup);
      const relay = [access(hosts[0], "listener"), access(hosts[1], "dialer")] as const;
      return (await tapCables())("tap-relayed", 5, { relay });
    },
    "e2e-vxlan": async () => (await lanPaths()).vxlan(),
    "e2e-ovs": async () => (await lanPaths()).ovs(),
    "e2e-plain": async () => (await lanPaths()).cable("e2e-plain", "none"),
    "e2e-tls": async () => (await lanPaths()).cable("e2e-tls", "tls"),
    "tap-wireguard": () => makeTapWireguard(hosts, cleanup),
    "wire-vxlan": () => makeWireVxlan(hosts, cleanup),
    "wire-plain": async () => (await wirePaths()).cable("wire-plain", "none"),
    "wire-tls": async () => (await wirePaths()).cable("wire-tls", "tls"),
    "host-veth": async () => (await hostPaths()).veth(),
    "host-hand": async () => (await hostPaths()).handMade(),
    "host-lan": async () => (await hostPaths()).lan(),
    "host-wire": async () => (await hostPaths()).wire(),
  };
  const paths: BenchPath[] = [];
  const missing: MissingPath[] = [];
  for (const name of plan.paths) {
    signal.throwIfAborted();
    note(`setting up ${name}`);
    try {
      paths.push(await makers[name]());
    } catch (error) {
      missing.push({ name, why: messageOf(error).split("\n")[0] ?? "" });
    }
  }
  return { paths, missing };
}

function lazy<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => {
    made ??= make();
    return made;
  };
}

async function describeMachine(signal: AbortSignal): Promise<Omit<BenchResults["machine"], "congestion">> {
  const cores = availableParallelism();
  const before = await busySeconds();
  await delay(1_000, undefined, { signal });
  return {
    cores,
    model: cpus()[0]?.model.trim() ?? "unknown",
    kernel: release(),
    date: new Date().toISOString().slice(0, 16),
    busyBefore: ((await busySeconds()) - before) / cores,
  };
}
