import { textWidth } from "./text-width.js";

/**
 * A plain text in lines of at most `width` cells: broken at spaces, inside words only when they are longer than a line. The first
 * line keeps its indentation.
 */
export function wrapText(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  const [leading = ""] = /^ */.exec(text) ?? [];
  const indent = leading.slice(0, Math.max(0, width - 1));
  let line = indent;
  let isEmpty = true;
  for (const word of text.slice(leading.length).split(" ")) {
    const longer = isEmpty ? line + word : `${line} ${word}`;
    if (textWidth(longer) <= width) {
      line = longer;
    } else {
      if (!isEmpty) lines.push(line);
      const parts = breakWord(isEmpty ? longer : word, width);
      lines.push(...parts.slice(0, -1));
      line = parts.at(-1) ?? "";
    }
    isEmpty = line === "" || (line === indent && lines.length === 0);
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
