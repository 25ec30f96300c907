/** One comparison of what was configured with what was measured. */
export interface Row {
  readonly what: string;
  readonly configured: number;
  readonly measured: number;
  /** Largest difference that is good; infinity: any, see the note. */
  readonly bound: number;
  readonly unit: "ms" | "lost" | "bit/s";
  readonly note: string;
}

/** Whether what was measured is as near as it should be. */
export function isGood({ configured, measured, bound }: Row): boolean {
  return Math.abs(measured - configured) <= bound;
}

/** Half the width of the 99 % interval of a binomial count. */
export function binomialBound(count: number, ratio: number): number {
  return 2.576 * Math.sqrt(count * ratio * (1 - ratio)) + 0.5;
}

/** The middle of some numbers. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((one, other) => one - other);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? Number.NaN)) / 2;
}

/** The rows as a table for people. */
export function formatRows(rows: readonly Row[]): string {
  const lines = [
    ["", "configured", "measured", "difference", "allowed", "", ""],
    ...rows.map((row) => [
      row.what,
      show(row.configured, row.unit),
      show(row.measured, row.unit),
      show(row.measured - row.configured, row.unit),
      show(row.bound, row.unit),
      isGood(row) ? "good" : "NOT GOOD",
      row.note,
    ]),
  ];
  const widths = lines[0]?.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0))) ?? [];
  return lines
    .map((line) =>
      line
        .map((cell, column) =>
          column === 0 || column > 4 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
        )
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

function show(value: number, unit: Row["unit"]): string {
  if (!Number.isFinite(value)) return "-";
  if (unit === "ms") return `${value.toFixed(2)} ms`;
  if (unit === "lost") return `${value.toFixed(0)} lost`;
  const size = Math.abs(value);
  if (size >= 1e9) return `${(value / 1e9).toFixed(3)} Gbit/s`;
  if (size >= 1e6) return `${(value / 1e6).toFixed(3)} Mbit/s`;
  return `${(value / 1e3).toFixed(2)} kbit/s`;
}
