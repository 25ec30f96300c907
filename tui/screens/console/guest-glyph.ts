import { textWidth } from "../../kit/text/text-width.js";

/** What moves the cursor, reorders, hides, or has no agreed width or look. */
const unsafe = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu;
/** More marks than this on one character run into the lines above. */
const mostMarks = 3;
const mostKnown = 4096;
/** A question mark of two cells. */
const wideUnknown = "\uff1f";

/** Makes what a guest has put into a cell into something that takes exactly that cell of the person's terminal, and does nothing else. */
export class GuestGlyphs {
  readonly #known = new Map<string, string>();

  /** @param width cells that the guest's terminal gave it: 1 or 2. */
  of(characters: string, width: number): string {
    if (characters.length === 1 && characters >= " " && characters <= "~") return characters;
    if (characters === "") return " ";
    const key = width === 2 ? `2${characters}` : characters;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const glyph = safe(characters, width);
    if (this.#known.size >= mostKnown) this.#known.clear();
    this.#known.set(key, glyph);
    return glyph;
  }
}

function safe(characters: string, width: number): string {
  const kept = [...characters.replace(unsafe, "")].slice(0, 1 + mostMarks).join("");
  if (kept !== "" && textWidth(kept) === width) return kept;
  const [first = ""] = kept;
  if (first !== "" && textWidth(first) === width) return first;
  return width === 2 ? wideUnknown : "?";
}
