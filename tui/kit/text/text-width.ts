import { createRequire } from "node:module";

const printableAscii = /^[\x20-\x7e]*$/;
const load = createRequire(import.meta.url);
let measure: typeof import("string-width").default | undefined;
let segmenter: Intl.Segmenter | undefined;

/** Loads what knows the widths of all scripts only when it is needed: its patterns take 30 ms, and most commands print plain ASCII. */
function stringWidth(text: string): number {
  measure ??= (load("string-width") as typeof import("string-width")).default;
  return measure(text);
}

/** What a reader takes for one character each. What finds them is made when it is needed, for the same reason: 10 ms. */
function graphemes(text: string): readonly string[] {
  if (alone.test(text)) return [...text];
  segmenter ??= new Intl.Segmenter(undefined, { granularity: "grapheme" });
  return Array.from(segmenter.segment(text), ({ segment }) => segment);
}

/** What a reader takes for one character each, with the cells that it takes. The text must be plain (no control characters). */
export function graphemesOf(text: string): readonly { readonly text: string; readonly width: number }[] {
  return graphemes(text).map((segment) => ({ text: segment, width: textWidth(segment) }));
}

/** Nothing that joins with its neighbours: letters of Latin, marks of sentences, arrows, signs, lines, blocks and dots. */
const alone =
  /^[\x20-\x7e\xa1-\xac\xae-\u02ff\u2010-\u2027\u2030-\u205e\u2190-\u2319\u2500-\u25fc\u2713-\u276f\u2800-\u28ff]*$/;
/** Those of them that take two cells. */
const wide = /[\u2728\u274c\u274e\u2753-\u2755\u2757]/;

/** Whether each character of a text stands alone: then its width is that of all of them, see {@link characterWidth}. */
export function standAlone(text: string): boolean {
  return alone.test(text);
}

/** Terminal cells of a character that stands alone. */
export function characterWidth(character: string): number {
  return character > "~" && wide.test(character) ? 2 : 1;
}

/** Terminal cells a text takes. The text must be plain (no control characters). */
export function textWidth(text: string): number {
  if (printableAscii.test(text)) return text.length;
  if (!alone.test(text)) return stringWidth(text);
  let width = 0;
  for (const character of text) width += characterWidth(character);
  return width;
}

/** Cuts a plain text to at most `width` cells, ending in "…" where something was cut; a wide character is never halved. */
export function cutText(text: string, width: number): string {
  if (width <= 0) return "";
  if (textWidth(text) <= width) return text;
  if (printableAscii.test(text)) return `${text.slice(0, width - 1)}…`;
  let kept = "";
  let used = 0;
  for (const segment of graphemes(text)) {
    const next = used + textWidth(segment);
    if (next > width - 1) break;
    kept += segment;
    used = next;
  }
  return `${kept}…`;
}

/**
 * Cuts a plain text to at most `width` cells by taking "…" for its middle: names that begin alike mostly end differently. A wide
 * character is never halved.
 */
export function cutMiddle(text: string, width: number): string {
  if (width <= 0) return "";
  if (textWidth(text) <= width) return text;
  const tailWidth = Math.floor((width - 1) / 2);
  if (printableAscii.test(text)) {
    return `${text.slice(0, width - 1 - tailWidth)}…${text.slice(text.length - tailWidth)}`;
  }
  const characters = graphemes(text);
  const tail = takeCells(characters.toReversed(), tailWidth).toReversed();
  return `${takeCells(characters, width - 1 - textWidth(tail.join(""))).join("")}…${tail.join("")}`;
}

function takeCells(characters: readonly string[], width: number): readonly string[] {
  let used = 0;
  let count = 0;
  for (const character of characters) {
    used += textWidth(character);
    if (used > width) break;
    count += 1;
  }
  return characters.slice(0, count);
}

/** The least width, from `least` on, at which texts with their middles cut are still told apart. */
export function distinctWidth(texts: readonly string[], least: number): number {
  const all = [...new Set(texts)];
  const natural = all.reduce((widest, text) => Math.max(widest, textWidth(text)), 0);
  for (let width = least; width < natural; width++) {
    if (new Set(all.map((text) => cutMiddle(text, width))).size === all.length) return width;
  }
  return Math.max(least, natural);
}

/** Cuts or pads a plain text to exactly `width` cells; `cutAt` says where. */
export function fitText(
  text: string,
  width: number,
  align: "left" | "right" = "left",
  cutAt: "middle" | "end" = "end",
): string {
  const cut = cutAt === "middle" ? cutMiddle(text, width) : cutText(text, width);
  const padding = " ".repeat(Math.max(0, width - textWidth(cut)));
  return align === "left" ? cut + padding : padding + cut;
}
