import { cpus, release } from "node:os";
import { median } from "../c2c/statistics.js";
import type { FleetSize } from "./plan.js";
import type { Round } from "./round.js";

/** Rounds of each size that was measured. */
export type Results = readonly { readonly size: FleetSize; readonly rounds: readonly Round[] }[];

interface Bar {
  readonly value: number | undefined;
  readonly limit: number;
}

/** The bars, by name: medians of the rounds. */
function computeBars(results: Results): Readonly<Record<string, Bar>> {
  const of = (hosts: number, figure: (round: Round) => number): number | undefined =>
    median(results.find(({ size }) => size.hosts === hosts && size.instances === 50)?.rounds.map(figure) ?? []);
  return {
    sync_1000x50_s: { value: of(1000, (round) => round.syncSeconds), limit: 5 },
    rss_1000x50_mib: { value: of(1000, (round) => round.peakMib), limit: 300 },
    storm_get_p99_ms: { value: of(1000, (round) => round.stormGetP99), limit: 100 },
    sync_5000x50_s: { value: of(5000, (round) => round.syncSeconds), limit: 30 },
    rss_5000x50_mib: { value: of(5000, (round) => round.peakMib), limit: 1229 },
    list50k_ms: { value: of(1000, (round) => round.listMs), limit: 400 },
    get_p99_ms: { value: of(1000, (round) => round.getP99), limit: 10 },
    event_p99_ms: { value: of(1000, (round) => round.eventP99), limit: 100 },
  };
}

const rows: readonly (readonly [title: string, figure: (round: Round) => number, digits: number])[] = [
  ["sync, s", (round) => round.syncSeconds, 2],
  ["  processor time until then, s", (round) => round.syncCpuSeconds, 2],
  ["  memory at most until then, MiB", (round) => round.peakMib, 0],
  ["  memory then, MiB", (round) => round.rssMib, 0],
  ["  gets meanwhile", (round) => round.stormGets, 0],
  ["  get p99 meanwhile, ms", (round) => round.stormGetP99, 1],
  ["  longest get meanwhile, ms", (round) => round.stormGetMax, 1],
  ["  loop held at most, ms", (round) => round.stormLoopMax, 1],
  ["idle, share of a core", (round) => round.idleCore, 3],
  ["full list, ms", (round) => round.listMs, 0],
  ["  loop held at most, ms", (round) => round.listLoopMax, 1],
  ["get p50, ms", (round) => round.getP50, 2],
  ["get p99, ms", (round) => round.getP99, 2],
  ["  loop held at most, ms", (round) => round.getLoopMax, 1],
  ["events told", (round) => round.events, 0],
  ["  of so many", (round) => round.eventsExpected, 0],
  ["event p50, ms", (round) => round.eventP50, 1],
  ["event p99, ms", (round) => round.eventP99, 1],
  ["  loop held at most, ms", (round) => round.eventLoopMax, 1],
  ["  share of a core", (round) => round.eventCore, 2],
  ["memory at the end, MiB", (round) => round.endMib, 0],
];

/** The report as tables for people. */
export function formatTable(results: Results): string {
  const { cores, model, kernel } = describeMachine();
  const lines = rows.map(([title, figure, digits]) => {
    const cells = results.map(({ rounds }) => (median(rounds.map(figure)) ?? 0).toFixed(digits).padStart(10));
    return [title.padEnd(34), ...cells].join("");
  });
  const sizes = results.map(({ size }) => `${size.hosts}x${size.instances}`.padStart(10)).join("");
  const bars = Object.entries(computeBars(results)).map(([name, { value, limit }]) => {
    const verdict = value === undefined ? "n/a" : value <= limit ? "met" : "missed";
    const text = (value === undefined ? "-" : value.toFixed(1)).padStart(10);
    return `${name.padEnd(18)}${text}  at most ${String(limit).padEnd(6)}${verdict}`;
  });
  const rounds = results[0]?.rounds.length ?? 0;
  return [
    `${cores} x ${model}, Linux ${kernel}; median of ${rounds} rounds`,
    "",
    `${"hosts x instances".padEnd(34)}${sizes}`,
    ...lines,
    "",
    ...bars,
  ].join("\n");
}

/** The report as one object; what was not measured is null. */
export function toJson(results: Results): unknown {
  const bars = Object.entries(computeBars(results)).map(([name, { value }]) => [name, value ?? null]);
  return { machine: describeMachine(), bars: Object.fromEntries(bars), sizes: results };
}

function describeMachine() {
  const [first] = cpus();
  return { cores: cpus().length, model: first?.model.trim() ?? "?", kernel: release() };
}
