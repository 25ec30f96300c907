/** What one step of a pattern asks of a character. */
export type Wanted = (code: number) => boolean;

/** Something that a pattern is made of. */
export type Part =
  | { readonly type: "one"; readonly wanted: Wanted }
  | { readonly type: "edge"; readonly edge: "start" | "end" | "word" | "inside" }
  | { readonly type: "all"; readonly parts: readonly Part[] }
  | { readonly type: "any"; readonly parts: readonly Part[] }
  | { readonly type: "times"; readonly part: Part; readonly least: number; readonly most: number };

/** One step; steps are numbered through, and `next` are numbers. */
export type Step =
  | { readonly type: "one"; readonly wanted: Wanted }
  | { readonly type: "edge"; readonly edge: "start" | "end" | "word" | "inside" }
  | { readonly type: "fork"; readonly next: number[] }
  | { readonly type: "found" };

/** More steps than this are no pattern that a person types. */
const mostSteps = 2000;

/** A pattern as steps. @throws {RangeError} when it has too many. */
export function toSteps(part: Part): readonly Step[] {
  const steps: Step[] = [];
  emit(part, steps);
  steps.push({ type: "found" });
  return steps;
}

function emit(part: Part, steps: Step[]): void {
  if (steps.length > mostSteps) throw new RangeError("the pattern is too large");
  switch (part.type) {
    case "one":
    case "edge":
      steps.push(part);
      return;
    case "all":
      for (const each of part.parts) emit(each, steps);
      return;
    case "any":
      emitAny(part.parts, steps);
      return;
    case "times":
      emitTimes(part, steps);
      return;
  }
}

function emitAny(parts: readonly Part[], steps: Step[]): void {
  const fork: number[] = [];
  steps.push({ type: "fork", next: fork });
  const ends: number[][] = [];
  for (const part of parts) {
    fork.push(steps.length);
    emit(part, steps);
    const end: number[] = [];
    ends.push(end);
    steps.push({ type: "fork", next: end });
  }
  for (const end of ends) end.push(steps.length);
}

function emitTimes({ part, least, most }: Part & { readonly type: "times" }, steps: Step[]): void {
  for (let count = 0; count < least; count += 1) emit(part, steps);
  if (most === Number.POSITIVE_INFINITY) {
    const again: number[] = [steps.length + 1];
    const at = steps.length;
    steps.push({ type: "fork", next: again });
    emit(part, steps);
    steps.push({ type: "fork", next: [at] });
    again.push(steps.length);
    return;
  }
  const skips: number[][] = [];
  for (let count = least; count < most; count += 1) {
    const skip = [steps.length + 1];
    skips.push(skip);
    steps.push({ type: "fork", next: skip });
    emit(part, steps);
  }
  for (const skip of skips) skip.push(steps.length);
}
