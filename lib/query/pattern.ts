import { RE2JS, RE2JSException } from "re2js";
import { invalidArgument } from "../errors.js";
import { quote } from "../names.js";

const maxPattern = 500;
/** No longer text is looked through: what is longer is no name, no label and no reason. */
const maxText = 10_000;
/** Characters that mean nothing but themselves. */
const plain = /^[^\\^$.|?*+()[\]{}]*$/;

/**
 * The test of texts in which a regular expression is found, in whatever case. The engine is RE2's: whatever the pattern, the time grows with the
 * length of the text, so that a stranger's pattern can hold nothing up. @throws {ZorError} INVALID_ARGUMENT naming `where`.
 */
export function patternTest(where: string, pattern: string): (text: string) => boolean {
  if (pattern.length > maxPattern) throw invalidArgument(where, `the pattern is longer than ${maxPattern} characters`);
  if (plain.test(pattern)) {
    const wanted = pattern.toLowerCase();
    return (text) => text.toLowerCase().includes(wanted);
  }
  const compiled = compile(where, pattern);
  return (text) => compiled.test(text.length > maxText ? text.slice(0, maxText) : text);
}

function compile(where: string, pattern: string): RE2JS {
  try {
    return RE2JS.compile(pattern, RE2JS.CASE_INSENSITIVE);
  } catch (error) {
    if (!(error instanceof RE2JSException)) throw error;
    const why = error.message.replace(/^error parsing regexp: /, "");
    throw invalidArgument(where, `${quote(pattern)} is not a regular expression: ${why}`);
  }
}

/** The test of texts that have the letters of a word in this order, whatever is between them, in whatever case. */
export function fuzzyTest(word: string): (text: string) => boolean {
  const letters = [...word.toLowerCase()].filter((letter) => letter.trim() !== "");
  return (text) => {
    const lower = text.toLowerCase();
    let at = 0;
    for (const letter of letters) {
      at = lower.indexOf(letter, at);
      if (at < 0) return false;
      at += letter.length;
    }
    return true;
  };
}
