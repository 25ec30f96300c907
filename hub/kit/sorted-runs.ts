import type { Work } from "./turns.js";

/** Things are looked at so many at a time. */
const stride = 32;
/** Runs that are sorted at once. */
const runLength = 2048;

/**
 * Sorts in parts, so that calls get in between: runs, which are merged.
 * @param pick makes what is sorted of each; undefined: it is left out.
 */
export function* sortedRuns<From, T>(
  all: Iterable<From>,
  pick: (each: From) => T | undefined,
  compare: (left: T, right: T) => number,
): Work<T[]> {
  let runs: T[][] = [];
  let run: T[] = [];
  let seen = 0;
  for (const each of all) {
    seen += 1;
    if (seen % stride === 0) yield;
    const item = pick(each);
    if (item === undefined) continue;
    run.push(item);
    if (run.length < runLength) continue;
    runs.push(run.sort(compare));
    run = [];
  }
  runs.push(run.sort(compare));
  while (runs.length > 1) {
    const merged: T[][] = [];
    for (let at = 0; at < runs.length; at += 2) merged.push(yield* merge(runs[at] ?? [], runs[at + 1] ?? [], compare));
    runs = merged;
  }
  return runs[0] ?? [];
}

function* merge<T>(left: readonly T[], right: readonly T[], compare: (a: T, b: T) => number): Work<T[]> {
  const all: T[] = [];
  let [i, j] = [0, 0];
  while (i < left.length || j < right.length) {
    const [a, b] = [left[i], right[j]];
    if (b === undefined || (a !== undefined && compare(a, b) <= 0)) {
      if (a !== undefined) all.push(a);
      i += 1;
    } else {
      all.push(b);
      j += 1;
    }
    if (all.length % runLength === 0) yield;
  }
  return all;
}
