import type { Schedule } from "../../proto/gen/zor/v1/schedule.js";

/** Something that a schedule took, and that is whole. */
export interface Taken {
  readonly id: string;
  readonly timeMs: number;
  /** Id of what it builds on; "": nothing. */
  readonly base: string;
}

const dayMs = 86_400_000;
const defaultKeep = 7;
const defaultFullEvery = 7;

/**
 * Ids of what is to be deleted, in an order in which it can be: what another one builds on comes after that, or stays with it; pure.
 * The newest stays in any case.
 */
export function expired(
  all: readonly Taken[],
  { keep, keepDays }: Pick<Schedule, "keep" | "keepDays">,
  nowMs: number,
): string[] {
  const newestFirst = all.toSorted((one, other) => other.timeMs - one.timeMs);
  const most = keep > 0 ? keep : keepDays > 0 ? Number.POSITIVE_INFINITY : defaultKeep;
  const oldestMs = keepDays > 0 ? nowMs - keepDays * dayMs : Number.NEGATIVE_INFINITY;
  const needed = new Set<string>();
  const doomed: string[] = [];
  newestFirst.forEach(({ id, timeMs, base }, index) => {
    if (index === 0 || (index < most && timeMs >= oldestMs) || needed.has(id)) needed.add(base);
    else doomed.push(id);
  });
  return doomed;
}

/** Whether the next one is to be full, so that what came before can be deleted some day; pure. */
export function isFullNext(all: readonly Taken[], { fullEvery }: Pick<Schedule, "fullEvery">): boolean {
  const newestFirst = all.toSorted((one, other) => other.timeMs - one.timeMs);
  const sinceFull = newestFirst.findIndex(({ base }) => base === "");
  return sinceFull < 0 || sinceFull + 1 >= (fullEvery || defaultFullEvery);
}
