/** Environment variables, as of a process. */
export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Whether a terminal can be expected to understand cursor movement and colours, by what TERM says of it. "dumb" (editors' shell
 * windows, some CI) and "unknown" cannot; without TERM nobody has said so.
 */
export function understandsEscapes({ TERM: term = "" }: Environment): boolean {
  return term !== "" && term !== "unknown" && !/^dumb\b/.test(term);
}
