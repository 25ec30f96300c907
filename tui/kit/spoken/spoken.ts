/** A line that is read aloud. Safe for terminals. */
export interface SpokenLine {
  readonly text: string;
  /** Name of the resource that it is about. Default: none. */
  readonly name?: string;
  /** Puts the cursor there, or chooses it. Default: nobody can. */
  pick?(): void;
}

/** Lines that come by themselves, each with a number that grows. */
export interface SpokenNews {
  /** Number of the one that came last. */
  readonly last: number;
  since(number: number): readonly string[];
}

/** What a screen says to somebody who does not see it. */
export interface Spoken {
  readonly length: number;
  lines(from: number, count: number): readonly SpokenLine[];
  /** What is said as it comes. Default: nothing comes. */
  readonly news?: SpokenNews;
  /** So many lines at the beginning say how it stands: those that change are said again. Default: none. */
  readonly standing?: number;
}

/** Lines that are all known. */
export function spokenLines(lines: readonly SpokenLine[]): Spoken {
  return { length: lines.length, lines: (from, count) => lines.slice(from, from + count) };
}
