/** A value at a moment. */
export interface TimedValue {
  readonly timeMs: number;
  readonly value: number;
}

/** What a chart shows. */
export interface ChartRange {
  readonly startMs: number;
  readonly endMs: number;
}

/** Where a chart has its places. */
interface Places extends ChartRange {
  readonly count: number;
  /** A value holds until the next, so long at most; behind that nothing is known. */
  readonly holdMs: number;
}

/** The average value of each of so many places of time; undefined: nothing is known of it. */
export function toCells(points: readonly TimedValue[], places: Places): (number | undefined)[] {
  const { startMs, endMs, count, holdMs } = places;
  const width = Math.max(1, endMs - startMs) / count;
  const sums = new Array<number>(count).fill(0);
  const weights = new Array<number>(count).fill(0);
  for (const [index, { timeMs, value }] of points.entries()) {
    const until = Math.min(points[index + 1]?.timeMs ?? timeMs + holdMs, timeMs + holdMs, endMs);
    const [from, to] = [(timeMs - startMs) / width, Math.max((until - startMs) / width, (timeMs - startMs) / width)];
    for (let at = Math.max(0, Math.floor(from)); at < Math.min(count, Math.floor(to) + 1); at++) {
      const weight = Math.max(1e-6, Math.min(to, at + 1) - Math.max(from, at));
      sums[at] = (sums[at] ?? 0) + value * weight;
      weights[at] = (weights[at] ?? 0) + weight;
    }
  }
  return sums.map((sum, at) => ((weights[at] ?? 0) === 0 ? undefined : sum / (weights[at] ?? 1)));
}

/** So long a value holds: points come that far from each other, and some may be lost. */
export function holdOf(points: readonly TimedValue[]): number {
  const gaps = points.slice(1).map(({ timeMs }, index) => timeMs - (points[index]?.timeMs ?? timeMs));
  const usual = gaps.sort((a, b) => a - b)[Math.floor(gaps.length * 0.9)] ?? 10_000;
  return Math.max(usual * 2.5, 11_000);
}
