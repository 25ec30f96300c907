import type { TextProps } from "ink";
import type { Tone } from "../kit/states.js";

/** What the terminal may be sent. */
export interface Look {
  /** Symbols outside ASCII. */
  readonly unicode: boolean;
  /** Colours; bold, dim and inverse are always used. */
  readonly colors: boolean;
}

type Style = Omit<TextProps, "children">;

const colored: Readonly<Record<Tone, Style>> = {
  plain: {},
  strong: { bold: true },
  dim: { dimColor: true },
  good: { color: "green" },
  busy: { color: "cyan" },
  warn: { color: "yellow" },
  bad: { color: "red", bold: true },
  accent: { color: "cyan", bold: true },
};

const colorless: Readonly<Record<Tone, Style>> = {
  plain: {},
  strong: { bold: true },
  dim: { dimColor: true },
  good: {},
  busy: {},
  warn: { bold: true },
  bad: { bold: true },
  accent: { bold: true },
};

/** How a tone is drawn. Without colours the words and symbols say the same. */
export function styleOf(tone: Tone, look: Look): Style {
  return (look.colors ? colored : colorless)[tone];
}

/** What the environment says of the terminal: no symbols unless its locale is UTF-8 (or with ZOR_ASCII), no colours with NO_COLOR. */
export function lookOfTerminal(env: Readonly<Record<string, string | undefined>>): Look {
  return { unicode: isUnicodeTerminal(env), colors: (env["NO_COLOR"] ?? "") === "" };
}

function isUnicodeTerminal(env: Readonly<Record<string, string | undefined>>): boolean {
  if (env["ZOR_ASCII"] !== undefined && env["ZOR_ASCII"] !== "") return false;
  const locale = env["LC_ALL"] || env["LC_CTYPE"] || env["LANG"] || "";
  return /utf-?8/i.test(locale);
}
