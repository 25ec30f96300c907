import { textWidth } from "./text-width.js";

/** A plain text in lines of at most `width` cells: broken at spaces, inside words only when they are longer than a line. */
export function wrapText(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    const longer = line === "" ? word : `${line} ${word}`;
    if (textWidth(longer) <= width) {
      line = longer;
      continue;
    }
    if (line !== "") lines.push(line);
    const parts = breakWord(word, width);
    lines.push(...parts.slice(0, -1));
    line = parts.at(-1) ?? "";
  }
  return [...lines, line];
}

function breakWord(word: string, width: number): readonly string[] {
  const parts: string[] = [];
  let part = "";
  let used = 0;
  for (const character of word) {
    const next = textWidth(character);
    if (used + next > width && part !== "") {
      parts.push(part);
      part = "";
      used = 0;
    }
    part += character;
    used += next;
  }
  return [...parts, part];
}
