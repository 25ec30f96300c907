import type { Tone } from "./states.js";

/** The colours that every terminal has, in the order of their numbers. */
export const terminalColours = ["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"];

/** How a tone is drawn. Colours are names of the sixteen, or "#rrggbb", which terminals of fewer colours get the nearest of. */
export interface ToneStyle {
  readonly color?: string | undefined;
  readonly backgroundColor?: string | undefined;
  readonly bold?: boolean | undefined;
  readonly underline?: boolean | undefined;
  readonly dimColor?: boolean | undefined;
  readonly inverse?: boolean | undefined;
}

/** How everything is drawn. A colour is only ever a second sign: symbols and words say the same. */
export interface Skin {
  readonly tones: Readonly<Record<Tone, ToneStyle>>;
  /** Nothing outside ASCII. */
  readonly ascii?: boolean | undefined;
}

/** A skin of a user: another one with changes. */
export interface UserSkin {
  readonly extends?: string | undefined;
  readonly ascii?: boolean | undefined;
  readonly tones?: Readonly<Partial<Record<Tone, ToneStyle | undefined>>> | undefined;
}

export const tones = [
  "plain",
  "strong",
  "dim",
  "good",
  "busy",
  "warn",
  "bad",
  "accent",
] as const satisfies readonly Tone[];

/** What there is without colours: bold and dim. */
export const colorless: Skin["tones"] = {
  plain: {},
  strong: { bold: true },
  dim: { dimColor: true },
  good: {},
  busy: {},
  warn: { bold: true },
  bad: { bold: true },
  accent: { bold: true },
};

const dark: Skin = {
  tones: {
    plain: {},
    strong: { bold: true },
    dim: { dimColor: true },
    good: { color: "green" },
    busy: { color: "cyan" },
    warn: { color: "yellow" },
    bad: { color: "red", bold: true },
    accent: { color: "cyan", bold: true },
  },
};

/** The skins that everybody has. */
export const skins = {
  dark,
  light: {
    tones: {
      plain: {},
      strong: { bold: true },
      dim: { color: "gray" },
      good: { color: "green" },
      busy: { color: "blue" },
      // Yellow cannot be read on white.
      warn: { color: "magenta" },
      bad: { color: "red", bold: true },
      accent: { color: "blue", bold: true },
    },
  },
  "high-contrast": {
    tones: {
      plain: { color: "whiteBright" },
      strong: { color: "whiteBright", bold: true },
      dim: { color: "white" },
      good: { color: "greenBright", bold: true },
      busy: { color: "cyanBright", bold: true },
      warn: { color: "yellowBright", bold: true },
      bad: { color: "whiteBright", backgroundColor: "red", bold: true },
      accent: { color: "cyanBright", bold: true, underline: true },
    },
  },
  // The palette of Okabe and Ito, which people with any of the common colour blindnesses can tell apart.
  "colour-blind": {
    tones: {
      plain: {},
      strong: { bold: true },
      dim: { dimColor: true },
      good: { color: "#56b4e9" },
      busy: { color: "#cc79a7" },
      warn: { color: "#e69f00" },
      bad: { color: "#d55e00", bold: true, underline: true },
      accent: { color: "#f0e442", bold: true },
    },
  },
  none: { tones: colorless },
  ascii: { ...dark, ascii: true },
} as const satisfies Readonly<Record<string, Skin>>;

/** Skins may be made of others to this depth. */
const mostAncestors = 8;

/** The skin of that name, of the user's before all others; undefined when there is none, or one that it is made of is not there. */
export function findSkin(name: string, users: Readonly<Record<string, UserSkin>>, depth = 0): Skin | undefined {
  const user = Object.hasOwn(users, name) ? users[name] : undefined;
  const own: Skin | undefined = Object.hasOwn(skins, name) ? skins[name as keyof typeof skins] : undefined;
  if (user === undefined) return own;
  if (depth >= mostAncestors) return undefined;
  // One of the same name as everybody's changes that.
  const base = user.extends ?? (own === undefined ? "dark" : name);
  const beneath = base === name ? own : findSkin(base, users, depth + 1);
  if (beneath === undefined) return undefined;
  const changed = Object.fromEntries(tones.map((tone) => [tone, user.tones?.[tone] ?? beneath.tones[tone]]));
  // Every tone is there: they are what it is made of.
  return { ascii: user.ascii ?? beneath.ascii, tones: changed as Skin["tones"] };
}
