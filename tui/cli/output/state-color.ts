import { styleText } from "node:util";
import { styleOfWord, type Tone } from "../../kit/states.js";

const colors: Partial<Readonly<Record<Tone, "green" | "red" | "yellow">>> = {
  good: "green",
  bad: "red",
  warn: "yellow",
  busy: "yellow",
};

/** A state's text in its colour ("RUNNING" in green); what may have changed since it was seen is dim. */
export function colorState(state: string, stale: boolean, text: string): string {
  const color = stale ? "dim" : colors[styleOfWord(state.toLowerCase()).tone];
  return color === undefined ? text : styleText(color, text, { validateStream: false });
}
