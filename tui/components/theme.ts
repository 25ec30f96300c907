import type { TextProps } from "ink";
import { textWidth } from "../store/text-width.js";
import type { Tone } from "../store/states.js";

/** How a tone is drawn. Without colours the words and symbols say the same. */
export const toneProps: Readonly<Record<Tone, Omit<TextProps, "children">>> = {
  plain: {},
  strong: { bold: true },
  dim: { dimColor: true },
  good: { color: "green" },
  busy: { color: "cyan" },
  warn: { color: "yellow" },
  bad: { color: "red", bold: true },
  accent: { color: "cyan", bold: true },
};

const asciiOf: Readonly<Record<string, string>> = {
  "●": "*",
  "○": "o",
  "◐": "~",
  "◌": "?",
  "✗": "x",
  "·": "-",
  "→": ">",
  "❯": ">",
  "…": "~",
  "↑": "^",
  "↓": "v",
  "─": "-",
  "│": "|",
};

const nonAscii = /[^\x20-\x7e]/gu;

/** The same text in ASCII, as wide as it was: known symbols by a likeness, the rest as "?". */
export function toAscii(text: string): string {
  return text.replace(nonAscii, (character) => asciiOf[character] ?? "?".repeat(textWidth(character)));
}

/** Whether the terminal shows more than ASCII: its locale says UTF-8, unless ZOR_ASCII is set. */
export function isUnicodeTerminal(env: Readonly<Record<string, string | undefined>>): boolean {
  if (env["ZOR_ASCII"] !== undefined && env["ZOR_ASCII"] !== "") return false;
  if (env["TERM"] === "dumb") return false;
  const locale = env["LC_ALL"] || env["LC_CTYPE"] || env["LANG"] || "";
  return /utf-?8/i.test(locale);
}
