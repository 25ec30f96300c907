import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { run, startDaemon } from "../../../agent/host/exec.js";
import { endProcess, findIdentity } from "../../../lib/process.js";
import { eventually } from "../../helpers/eventually.js";
import { busySeconds } from "./cpu.js";
import { type BenchPath, pathNames } from "./path.js";
import { quantile } from "./statistics.js";

/** A ping that was not answered counts as this long. */
const lostMs = 1_000;

/** What one TCP run gave. */
export interface TcpFigures {
  readonly gbps: number;
  /** Work of the whole machine for each 10^9 bytes received. */
  readonly cpuSecondsPerGigabyte: number;
  readonly retransmits: number;
  /** RTT p99 of pings that ran beside it; undefined when none did. */
  readonly rttP99Ms: number | undefined;
}

/** Serves iperf3 at a path's far end until the stack is disposed of. Each path has a server of its own, which is busy with nobody else's client. */
export async function serveTcp(path: BenchPath, directory: string, cleanup: AsyncDisposableStack): Promise<void> {
  const { netns } = path.b;
  const argv = ["-s", "-i", "0", "-p", portOf(path)];
  const pid = await startDaemon("iperf3", argv, { netns, logFile: join(directory, "iperf3.log") });
  const server = await findIdentity(pid);
  if (server === undefined) throw new Error("iperf3 ended at once");
  cleanup.defer(() => endProcess(server, 1_000));
  await eventually(() => run("ss", ["-Hltn", `sport = :${portOf(path)}`], { netns }).then(expectOutput), 5_000);
}

/** Streams for some seconds, from a to b or back. @param ping also measure the RTT meanwhile. */
export async function measureTcp(
  path: BenchPath,
  options: { readonly streams: number; readonly reverse: boolean; readonly seconds: number; readonly ping: boolean },
  signal: AbortSignal,
): Promise<TcpFigures> {
  const { seconds } = options;
  const before = await busySeconds();
  const client = streamTcp(path, options, signal);
  // Awaited below in any case; a failure before that must not count as unhandled.
  client.catch(() => undefined);
  const rtts = options.ping ? await pingsBeside(path, seconds, signal) : undefined;
  const { sum_received: received, sum_sent: sent } = await client;
  const busy = (await busySeconds()) - before;
  return {
    gbps: received.bits_per_second / 1e9,
    cpuSecondsPerGigabyte: (busy * 1e9) / received.bytes,
    retransmits: sent.retransmits ?? 0,
    rttP99Ms: rtts === undefined ? undefined : quantile(rtts, 0.99),
  };
}

/** The part of iperf3's JSON that is used. */
interface IperfEnd {
  readonly sum_received: { readonly bytes: number; readonly bits_per_second: number };
  readonly sum_sent: { readonly retransmits?: number };
}

async function streamTcp(
  path: BenchPath,
  options: { readonly streams: number; readonly reverse: boolean; readonly seconds: number },
  signal: AbortSignal,
): Promise<IperfEnd> {
  const { streams, reverse, seconds } = options;
  const argv = ["-c", path.b.ip, "-p", portOf(path), "-J", "-i", "0", "-t", String(seconds), "-P", String(streams)];
  const { stdout } = await run("iperf3", [...argv, ...(reverse ? ["-R"] : [])], {
    netns: path.a.netns,
    timeoutMs: seconds * 1_000 + 15_000,
    acceptedExitCodes: [0, 1],
    signal,
  });
  const result = JSON.parse(stdout) as { readonly error?: string; readonly end: Partial<IperfEnd> }; // what iperf3 -J prints
  const { sum_received, sum_sent } = result.end;
  if (result.error !== undefined || sum_received === undefined || sum_sent === undefined) {
    throw new Error(`iperf3: ${result.error ?? "no result"}`);
  }
  return { sum_received, sum_sent };
}

/** RTTs in milliseconds. @param options.count how many, of which lost ones count as a second. */
export async function pingTimes(
  path: BenchPath,
  options: { readonly count: number; readonly intervalMs: number },
  signal: AbortSignal,
): Promise<readonly number[]> {
  const { count, intervalMs } = options;
  const argv = ["-n", "-c", String(count), "-i", String(intervalMs / 1_000), "-W", "1", path.b.ip];
  const { stdout } = await run("ping", argv, { netns: path.a.netns, acceptedExitCodes: [0, 1], signal });
  const times = [...stdout.matchAll(/time=([\d.]+) ms/g)].map(([, time]) => Number(time));
  return [...times, ...Array<number>(Math.max(0, count - times.length)).fill(lostMs)];
}

async function pingsBeside(path: BenchPath, seconds: number, signal: AbortSignal): Promise<readonly number[]> {
  // The stream needs a moment to fill the queues.
  await delay(300, undefined, { signal });
  return pingTimes(path, { count: Math.floor((seconds - 0.5) * 100), intervalMs: 10 }, signal);
}

function portOf({ name }: BenchPath): string {
  return String(5_201 + pathNames.indexOf(name));
}

function expectOutput({ stdout }: { readonly stdout: string }): void {
  if (stdout.trim() === "") throw new Error("nothing listens yet");
}
