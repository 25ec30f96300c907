import { styleText } from "node:util";
import type { Tone } from "../../kit/states.js";

type Style = Parameters<typeof styleText>[0];

const styles: Readonly<Record<Tone, Style | undefined>> = {
  plain: undefined,
  strong: undefined,
  dim: "dim",
  good: "green",
  busy: "yellow",
  warn: "yellow",
  bad: "red",
  accent: "bold",
};

/** A text in the colour of a tone. */
export function inTone(text: string, tone: Tone | undefined): string {
  const style = tone === undefined ? undefined : styles[tone];
  return style === undefined || text === "" ? text : styleText(style, text, { validateStream: false });
}
