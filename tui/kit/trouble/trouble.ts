/** What is wrong with a resource now. */
export interface Trouble {
  readonly tone: "warn" | "bad";
  /** One cell wide. */
  readonly symbol: string;
  /** "down", "unreachable". */
  readonly word: string;
  /** Why, and what to do, as far as it is known; empty when nothing is. */
  readonly why: string;
  /** Since when; undefined when nobody says. */
  readonly since: Date | undefined;
}
