/**
 * Characters that must never reach a terminal raw: C0 and C1 controls, format characters (bidi overrides, zero-width
 * characters, tags), line and paragraph separators, and surrogates that stand alone.
 */
const unsafe = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

/** Text from outside (names, labels, reasons, messages) as one safe line: unsafe characters become visible escapes. */
export function escapeText(text: string): string {
  return text.replace(unsafe, escapeCharacter);
}

/** What stands for a character that must not reach a terminal. */
export function escapeCharacter(character: string): string {
  if (character === "\n") return "\\n";
  if (character === "\r") return "\\r";
  if (character === "\t") return "\\t";
  const code = character.codePointAt(0) ?? 0;
  if (code <= 0xff) return `\\x${code.toString(16).padStart(2, "0")}`;
  if (code <= 0xffff) return `\\u${code.toString(16).padStart(4, "0")}`;
  return `\\u{${code.toString(16)}}`;
}

/** Text of several lines, each escaped by itself. */
export function escapeLines(text: string): string {
  return text.split("\n").map(escapeText).join("\n");
}
