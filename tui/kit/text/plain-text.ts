import { escapeCharacter } from "./escape.js";

/** Longest text taken over from outside; more is cut before anything looks at it. */
const longestText = 2048;

const printableAscii = /^[\x20-\x7e]*$/;

/**
 * Characters that move the cursor, change terminal modes, reorder, hide or have no agreed width: C0, C1, DEL, format and
 * bidi characters, lone surrogates, private use, unassigned, line separators, invisible ones, and the parts of composed
 * emoji whose width terminals disagree about.
 */
const unsafe =
  /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\p{Emoji_Modifier}\p{Regional_Indicator}]/gu;

const tooManyMarks = /(\p{M}{3})\p{M}+/gu;
const leadingMark = /^\p{M}/u;

/**
 * Text from outside as it may be written to a terminal: one line, every character that could act on the terminal shown as
 * an escape ("\x1b", "\u202e"), stacks of combining marks shortened. Idempotent for printable text.
 */
export function plainText(text: string): string {
  const cut = text.length > longestText ? `${text.slice(0, longestText)}…` : text;
  if (printableAscii.test(cut)) return cut;
  return cut.replace(unsafe, escapeCharacter).replace(tooManyMarks, "$1").replace(leadingMark, "\u25cc$&");
}
