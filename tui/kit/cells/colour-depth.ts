import { cellFlags, ownColour, rgbOf } from "./cell-line.js";

/** How many colours a terminal has: 24 bits, a palette of 256 or 16, or none. */
export type ColourDepth = "true" | "256" | "16" | "none";

type Environment = Readonly<Record<string, string | undefined>>;

/** What a terminal can show, by its environment. */
export function colourDepth(env: Environment): ColourDepth {
  if ((env["NO_COLOR"] ?? "") !== "") return "none";
  if (/^(truecolor|24bit)$/.test(env["COLORTERM"] ?? "")) return "true";
  const term = env["TERM"] ?? "";
  if (/-direct$/.test(term)) return "true";
  if (/^(vt\d|dumb$)/.test(term)) return "none";
  return /256|kitty|alacritty|foot|ghostty|wezterm/.test(term) ? "256" : "16";
}

/** Levels of each part of a colour in the palette's cube of 6x6x6. */
const cube = [0, 95, 135, 175, 215, 255] as const;
/** The first 16 of the palette, as xterm has them. */
const basic = [
  ...[0x000000, 0xcd0000, 0x00cd00, 0xcdcd00, 0x0000ee, 0xcd00cd, 0x00cdcd, 0xe5e5e5],
  ...[0x7f7f7f, 0xff0000, 0x00ff00, 0xffff00, 0x5c5cff, 0xff00ff, 0x00ffff, 0xffffff],
] as const;

function partsOf(rgb: number): readonly [number, number, number] {
  return [rgb >> 16, (rgb >> 8) & 0xff, rgb & 0xff];
}

/** The nearest of the cube of 6x6x6 colours, or of the 24 greys. */
export function toPalette256(rgb: number): number {
  const [red, green, blue] = partsOf(rgb);
  if (Math.max(red, green, blue) - Math.min(red, green, blue) < 8 && red > 3 && red < 247) {
    return 232 + Math.min(23, Math.round((red - 8) / 10));
  }
  const level = (part: number): number => (part < 48 ? 0 : part < 115 ? 1 : Math.floor((part - 35) / 40));
  return 16 + 36 * level(red) + 6 * level(green) + level(blue);
}

/** The 0xRRGGBB of a place of the palette, as xterm has it. */
function fromPalette(index: number): number {
  if (index < 16) return basic[index] ?? 0;
  if (index >= 232) return (8 + 10 * (index - 232)) * 0x010101;
  const at = index - 16;
  const part = (step: number): number => cube[Math.floor(at / step) % 6] ?? 0;
  return (part(36) << 16) | (part(6) << 8) | part(1);
}

/** The nearest of the first 16 of the palette. */
function toPalette16(rgb: number): number {
  const [red, green, blue] = partsOf(rgb);
  let [best, least] = [0, Number.POSITIVE_INFINITY];
  for (const [index, candidate] of basic.entries()) {
    const [r, g, b] = partsOf(candidate);
    const distance = 2 * (red - r) ** 2 + 4 * (green - g) ** 2 + 3 * (blue - b) ** 2;
    if (distance < least) [best, least] = [index, distance];
  }
  return best;
}

/** How a cell is asked for: the parameters of "select graphic rendition" (ECMA-48, 8.3.117), beginning with the one that resets. */
export class CellStyles {
  readonly #depth: ColourDepth;
  readonly #nearest = new Map<number, number>();

  constructor(depth: ColourDepth) {
    this.#depth = depth;
  }

  get hasColours(): boolean {
    return this.#depth !== "none";
  }

  /** The parameters for a cell. */
  of(foreground: number, background: number, flags: number): string {
    let parameters = "0";
    if ((flags & cellFlags.bold) !== 0) parameters += ";1";
    if ((flags & cellFlags.dim) !== 0) parameters += ";2";
    if ((flags & cellFlags.italic) !== 0) parameters += ";3";
    if ((flags & cellFlags.underline) !== 0) parameters += ";4";
    if ((flags & cellFlags.inverse) !== 0) parameters += ";7";
    if ((flags & cellFlags.hidden) !== 0) parameters += ";8";
    if ((flags & cellFlags.strike) !== 0) parameters += ";9";
    return parameters + this.#colour(foreground, 30) + this.#colour(background, 40);
  }

  #colour(colour: number, base: 30 | 40): string {
    if (colour === ownColour || this.#depth === "none") return "";
    const rgb = rgbOf(colour);
    if (rgb !== undefined && this.#depth === "true") return `;${base + 8};2;${partsOf(rgb).join(";")}`;
    const index = rgb === undefined && this.#depth !== "16" ? colour : this.#indexOf(colour, rgb);
    if (index < 8) return `;${base + index}`;
    if (index < 16) return `;${base + 60 + index - 8}`;
    return `;${base + 8};5;${index}`;
  }

  /** The nearest colour that the terminal has; pictures ask for the same few again and again. */
  #indexOf(colour: number, rgb: number | undefined): number {
    if (rgb === undefined && colour < 16) return colour;
    const known = this.#nearest.get(colour);
    if (known !== undefined) return known;
    const wanted = rgb ?? fromPalette(colour);
    const index = this.#depth === "16" ? toPalette16(wanted) : toPalette256(wanted);
    if (this.#nearest.size > 65_536) this.#nearest.clear();
    this.#nearest.set(colour, index);
    return index;
  }
}
