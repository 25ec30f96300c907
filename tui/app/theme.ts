import { chosenSkin } from "../settings/chosen-skin.js";
import { colorless, findSkin, type Skin, skins, type ToneStyle } from "../kit/skin.js";
import type { Tone } from "../kit/states.js";
import type { SettingsValues } from "../settings/settings-files.js";

/** What the terminal may be sent. */
export interface Look {
  /** Symbols outside ASCII. */
  readonly unicode: boolean;
  /** Of those only the few that the console of Linux has. */
  readonly console?: boolean;
  /** Colours; bold, dim and inverse are always used. */
  readonly colors: boolean;
  /** Default: dark. */
  readonly skin?: Skin;
}

/** How a tone is drawn. Without colours the words and symbols say the same. */
export function styleOf(tone: Tone, { colors, skin = skins.dark }: Look): ToneStyle {
  return colors ? skin.tones[tone] : colorless[tone];
}

/** The look of a terminal with the skin that the user has chosen. What the terminal cannot do no skin makes it do. */
export function withSkin(look: Look, values: Pick<SettingsValues, "settings" | "skins">, context: string): Look {
  const skin = findSkin(chosenSkin(values, context), values.skins) ?? skins.dark;
  return { ...look, unicode: look.unicode && skin.ascii !== true, skin };
}

/**
 * What the environment says of the terminal: no symbols unless its locale is UTF-8 (or with ZOR_ASCII), few on the console of Linux, no
 * colours with NO_COLOR.
 */
export function lookOfTerminal(env: Readonly<Record<string, string | undefined>>): Look {
  const look = { unicode: isUnicodeTerminal(env), colors: (env["NO_COLOR"] ?? "") === "" };
  return env["TERM"] === "linux" ? { ...look, console: true } : look;
}

function isUnicodeTerminal(env: Readonly<Record<string, string | undefined>>): boolean {
  if (env["ZOR_ASCII"] !== undefined && env["ZOR_ASCII"] !== "") return false;
  const locale = env["LC_ALL"] || env["LC_CTYPE"] || env["LANG"] || "";
  return /utf-?8/i.test(locale);
}
