import { setTimeout as delay } from "node:timers/promises";
import { processSeconds } from "./cpu.js";
import { EnginePair, residentMib } from "./engines.js";
import type { BenchHost } from "./hosts.js";
import { both } from "./tap-paths.js";

const idleEnginesPort = 7_464;
/** From the last cable until memory and work are that of idle cables. */
const settleMs = 3_000;

/** What cables cost that carry nothing, at one host. */
export interface IdleFigures {
  readonly cables: number;
  /** All of the engine, cables and what it takes by itself. */
  readonly engineMib: number;
  /** Processor time of the engine, as share of one core. */
  readonly coreFraction: number;
}

/** Measures an engine with ever more cables. @param seconds how long the work of idle cables is counted. */
export async function measureIdle(
  hosts: readonly [BenchHost, BenchHost],
  options: { readonly counts: readonly number[]; readonly seconds: number },
  signal: AbortSignal,
): Promise<readonly IdleFigures[]> {
  const netns = both(hosts, (host) => host.taps);
  await using engines = await EnginePair.open({ hosts, netns, port: idleEnginesPort });
  const figures: IdleFigures[] = [];
  let connected = 0;
  for (const cables of options.counts) {
    await engines.connect(cables - connected);
    connected = cables;
    await delay(settleMs, undefined, { signal });
    const before = await processSeconds(engines.pid);
    await delay(options.seconds * 1_000, undefined, { signal });
    const coreFraction = ((await processSeconds(engines.pid)) - before) / options.seconds;
    figures.push({ cables, engineMib: await residentMib(engines.pid), coreFraction });
  }
  return figures;
}
