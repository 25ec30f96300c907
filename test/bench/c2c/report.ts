import { type Bar, computeBars, type Figure, medianOf, rttP99Loaded, tcp1 } from "./bars.js";
import { type PathName, pathNames } from "./path.js";
import type { BenchResults } from "./results.js";

/** Columns of the table: title, figure, digits behind the point. */
const columns: readonly (readonly [title: string, figure: Figure, digits: number])[] = [
  ["tcp1 a>b", (round) => round.tcp1Forward?.gbps, 2],
  ["tcp1 b>a", (round) => round.tcp1Reverse?.gbps, 2],
  ["tcp4 a>b", (round) => round.tcp4Forward?.gbps, 2],
  ["tcp4 b>a", (round) => round.tcp4Reverse?.gbps, 2],
  ["cpu s/GB", (round) => round.tcp1Forward?.cpuSecondsPerGigabyte, 2],
  ["retrans", (round) => round.tcp1Forward?.retransmits, 0],
  ["64B kf/s", (round) => (round.framesPerSecond === undefined ? undefined : round.framesPerSecond / 1_000), 0],
  ["rtt ms", (round) => round.rttMs, 3],
  ["p99 load", rttP99Loaded, 2],
];

/** The report as a table for people. */
export function formatTable(results: BenchResults): string {
  const { machine } = results;
  const rounds = Math.max(0, ...[...results.rounds.values()].map((list) => list.length));
  const rows = pathNames.filter((name) => results.rounds.has(name)).map((name) => toRow(results, name));
  const titles = ["path", ...columns.map(([title]) => title), "/underlay", "/vxlan"];
  return [
    `${machine.cores} x ${machine.model}, Linux ${machine.kernel}, ${machine.date}; busy before: ${percent(machine.busyBefore)}`,
    `median of ${rounds} rounds; TCP (${machine.congestion}) in Gbit/s, RTT p99 beside one TCP stream, CPU of the whole machine per 10^9 bytes`,
    "",
    ...align([titles, ...rows]),
    ...results.missing.map(({ name, why }) => `${name}: n/a (${why})`),
    "",
    ...results.idle.map(
      ({ cables, engineMib, coreFraction }) =>
        `${cables} idle cables: engine ${engineMib.toFixed(0)} MiB, ${(coreFraction * 100).toFixed(2)} % of a core`,
    ),
    "",
    ...align(Object.entries(computeBars(results)).map(([name, bar]) => toBarRow(name, bar))),
  ].join("\n");
}

/** The report as one object; what was not measured is null. */
export function toJson(results: BenchResults): unknown {
  const bars = Object.entries(computeBars(results)).map(([name, { value }]) => [name, value ?? null]);
  return {
    machine: results.machine,
    bars: Object.fromEntries(bars),
    paths: Object.fromEntries(results.rounds),
    missing: results.missing,
    idle: results.idle,
  };
}

function toRow(results: BenchResults, name: PathName): string[] {
  const cells = columns.map(([, figure, digits]) => number(medianOf(results, name, figure), digits));
  const rate = medianOf(results, name, tcp1);
  const against = (other: PathName): string => {
    const base = medianOf(results, other, tcp1);
    return number(rate === undefined || base === undefined ? undefined : rate / base, 2);
  };
  const base = baseOf(name);
  return [name, ...cells, against("underlay"), base === undefined ? "-" : against(base)];
}

/** The kernel's tunnel in the same place; undefined: within a host there is none. */
function baseOf(name: PathName): PathName | undefined {
  if (name.startsWith("host-")) return undefined;
  if (name.startsWith("wire-")) return "wire-vxlan";
  return name.startsWith("e2e-") ? "e2e-vxlan" : "tap-vxlan";
}

function toBarRow(name: string, { value, bound, limit }: Bar): string[] {
  const met = value !== undefined && (bound === "at least" ? value >= limit : value <= limit);
  const verdict = value === undefined ? "n/a" : met ? "met" : "missed";
  return [name, number(value, 3), `${bound} ${limit}`, verdict];
}

function number(value: number | undefined, digits: number): string {
  return value === undefined ? "-" : value.toFixed(digits);
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

/** Pads columns: the first to the left, the others to the right. */
function align(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join("  "),
  );
}
