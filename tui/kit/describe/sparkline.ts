const levels = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"] as const;

/**
 * Values as a line of bars, at most one a cell; blank where nothing is known (NaN). With more values than cells the highest
 * of each group is drawn: a spike is never lost.
 * @param full value of the highest bar; 0 and everything below are the lowest one.
 */
export function sparkline(values: readonly number[], width: number, full: number): string {
  const cells = Math.min(width, values.length);
  let line = "";
  for (let cell = 0; cell < cells; cell += 1) {
    const from = Math.floor((cell * values.length) / cells);
    const to = Math.floor(((cell + 1) * values.length) / cells);
    line += barOf(highest(values.slice(from, to)), full);
  }
  return line;
}

/** The highest known value; NaN when none is known. */
export function highest(values: readonly number[]): number {
  return values.reduce((high, value) => (value > high || Number.isNaN(high) ? value : high), Number.NaN);
}

/** The lowest known value; NaN when none is known. */
export function lowest(values: readonly number[]): number {
  return values.reduce((low, value) => (value < low || Number.isNaN(low) ? value : low), Number.NaN);
}

function barOf(value: number, full: number): string {
  if (Number.isNaN(value)) return " ";
  if (value <= 0 || full <= 0) return levels[0];
  // The lowest bar is for zero alone.
  const level = Math.min(levels.length - 1, Math.max(1, Math.ceil((value / full) * (levels.length - 1))));
  return levels[level] ?? levels[0];
}
