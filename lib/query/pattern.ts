import { RE2JS, RE2JSException } from "re2js";
import { invalidArgument, resourceExhausted } from "../errors.js";
import { quote } from "../names.js";

const maxPattern = 500;
/** Instructions of a compiled pattern: each can cost something at each letter. */
const mostInstructions = 600;
/** A pattern that has taken so long, and so long with each text, in milliseconds, is given up: usual ones take a hundredth. */
const [mostMs, mostEachMs] = [250, 2];
/** No longer text is looked through: what is longer is no name, no label and no reason. */
const maxText = 10_000;
/** Characters that mean nothing but themselves. */
const plain = /^[^\\^$.|?*+()[\]{}]*$/;

/**
 * The test of texts in which a regular expression is found, in whatever case. The engine is RE2's: whatever the pattern, the time grows with the
 * length of the text; with the factor that remains (`a.{150}c`) a stranger's pattern could hold a server up, which guards itself by {@link guarded}.
 * @throws {ZorError} INVALID_ARGUMENT naming `where`.
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
    const compiled = RE2JS.compile(pattern, RE2JS.CASE_INSENSITIVE);
    if (compiled.programSize() <= mostInstructions) return compiled;
  } catch (error) {
    if (!(error instanceof RE2JSException)) throw error;
    const why = error.message.replace(/^error parsing regexp: /, "");
    throw invalidArgument(where, `${quote(pattern)} is not a regular expression: ${why}`);
  }
  throw invalidArgument(where, `the pattern ${quote(pattern)} is too large; repeat less in it, such as {200} or more`);
}

/** A test that is given up when it takes too long, text after text. @param clock milliseconds. @throws {ZorError} RESOURCE_EXHAUSTED then. */
export function guarded(
  pattern: string,
  test: (text: string) => boolean,
  clock: () => number = () => performance.now(),
): (text: string) => boolean {
  let [spentMs, tests] = [0, 0];
  return (text) => {
    if (spentMs > mostMs && spentMs > tests * mostEachMs) {
      throw resourceExhausted(
        "PATTERN_TOO_COSTLY",
        `the pattern ${quote(pattern)} takes too long for each text it is looked for in; repeat less in it, such as {100} of anything`,
      );
    }
    const beganMs = clock();
    const isThere = test(text);
    spentMs += clock() - beganMs;
    tests += 1;
    return isThere;
  };
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
