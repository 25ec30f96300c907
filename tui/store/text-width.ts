import stringWidth from "string-width";

const printableAscii = /^[\x20-\x7e]*$/;
const graphemes = new Intl.Segmenter(undefined, { granularity: "grapheme" });

/** Terminal cells a text takes. The text must be plain (no control characters). */
export function textWidth(text: string): number {
  return printableAscii.test(text) ? text.length : stringWidth(text);
}

/** Cuts a plain text to at most `width` cells, ending in "…" where something was cut; a wide character is never halved. */
export function cutText(text: string, width: number): string {
  if (width <= 0) return "";
  if (textWidth(text) <= width) return text;
  if (printableAscii.test(text)) return `${text.slice(0, width - 1)}…`;
  let kept = "";
  let used = 0;
  for (const { segment } of graphemes.segment(text)) {
    const next = used + stringWidth(segment);
    if (next > width - 1) break;
    kept += segment;
    used = next;
  }
  return `${kept}…`;
}

/** Cuts or pads a plain text to exactly `width` cells. */
export function fitText(text: string, width: number, align: "left" | "right" = "left"): string {
  const cut = cutText(text, width);
  const padding = " ".repeat(Math.max(0, width - textWidth(cut)));
  return align === "left" ? cut + padding : padding + cut;
}
