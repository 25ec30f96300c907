import type { Entry, EntryOrder } from "./ordered-slots.js";

/** Work that is done a part at a time: what it yields means nothing. */
export type Parts<Result> = Generator<void, Result>;

/** So much is done in one part of it, in rows. */
export const partOfRows = 1024;
/** Comparing is so much cheaper than looking at a row. */
const comparedAtOnce = 8 * partOfRows;

/** Sorts in parts: runs, which are merged. */
export function* sortInParts(all: Entry[], order: EntryOrder): Parts<Entry[]> {
  let runs: Entry[][] = [];
  for (let from = 0; from < all.length; from += partOfRows) {
    runs.push(all.slice(from, from + partOfRows).sort(order));
    if (runs.length % 2 === 0) yield;
  }
  while (runs.length > 1) {
    const merged: Entry[][] = [];
    for (let at = 0; at < runs.length; at += 2) merged.push(yield* merge(runs[at] ?? [], runs[at + 1] ?? [], order));
    runs = merged;
  }
  return runs[0] ?? [];
}

function* merge(left: readonly Entry[], right: readonly Entry[], order: EntryOrder): Parts<Entry[]> {
  const all: Entry[] = [];
  let [i, j] = [0, 0];
  for (;;) {
    const [a, b] = [left[i], right[j]];
    if (a === undefined && b === undefined) return all;
    if (b === undefined || (a !== undefined && order(a, b) <= 0)) {
      if (a !== undefined) all.push(a);
      i += 1;
    } else {
      all.push(b);
      j += 1;
    }
    if (all.length % comparedAtOnce === 0) yield;
  }
}
