/** How something is drawn; a colour is only ever a second sign, next to a symbol or a word. */
export type Tone = "plain" | "strong" | "dim" | "good" | "busy" | "warn" | "bad" | "accent";

/** How a state is shown. */
export interface StateStyle {
  /** One cell wide. */
  readonly symbol: string;
  /** Lower-case word; what `state=` filters match. */
  readonly word: string;
  readonly tone: Tone;
}

/** Shown for states this program does not know. */
export const unknownState: StateStyle = { symbol: "?", word: "unknown", tone: "warn" };

/** Shown for whatever is known of a host that does not answer. */
export const unreachableStyle: StateStyle = { symbol: "◌", word: "unreachable", tone: "dim" };

/** How each state of a kind is shown; {@link unknownState} for others. */
export function stateStyles(styles: ReadonlyMap<number, StateStyle>): (state: number | undefined) => StateStyle {
  return (state) => styles.get(state ?? 0) ?? unknownState;
}

const goodWords = new Set(["running", "active", "ready", "succeeded", "up"]);
const badWords = new Set(["failed", "down", "error", "unreachable", "incompatible"]);
const warningWords = new Set(["paused", "degraded", "unknown"]);

/** How a state is shown of which no more is known than its lower-case word. What goes on ("starting") is busy. */
export function styleOfWord(word: string): StateStyle {
  if (goodWords.has(word)) return { symbol: "●", word, tone: "good" };
  if (badWords.has(word)) return { symbol: "✗", word, tone: "bad" };
  if (warningWords.has(word)) return { symbol: "!", word, tone: "warn" };
  return word.endsWith("ing") ? { symbol: "◐", word, tone: "busy" } : { symbol: "○", word, tone: "dim" };
}
