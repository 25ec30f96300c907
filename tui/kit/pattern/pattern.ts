import { isWord, parsePattern } from "./parse-pattern.js";
import { type Step, toSteps } from "./program.js";

/**
 * A regular expression that looks at each character of a text once, for each of its steps: whatever the expression and the text, it
 * takes time in proportion to both and never hangs. It tells only whether a text holds it.
 */
export class Pattern {
  readonly #steps: readonly Step[];

  /** @throws {SyntaxError} or {RangeError} for what is no such expression, saying what is wrong with it. */
  constructor(source: string) {
    this.#steps = toSteps(parsePattern(source));
  }

  /** Whether it is anywhere in the text. */
  isIn(text: string): boolean {
    const codes = Array.from(text, (character) => character.codePointAt(0) ?? 0);
    let now = new Set<number>();
    for (let at = 0; at <= codes.length; at += 1) {
      // It may begin anywhere.
      if (this.#follow(0, { codes, at }, now)) return true;
      const code = codes[at];
      if (code === undefined) return false;
      const next = new Set<number>();
      for (const number of now) {
        const step = this.#steps[number];
        if (step?.type !== "one" || !step.wanted(code)) continue;
        if (this.#follow(number + 1, { codes, at: at + 1 }, next)) return true;
      }
      now = next;
    }
    return false;
  }

  /** Adds the steps that wait for a character, from one step on; true: the end was reached. */
  #follow(from: number, place: Place, waiting: Set<number>): boolean {
    const queue = [from];
    for (let number = queue.pop(); number !== undefined; number = queue.pop()) {
      if (waiting.has(number)) continue;
      waiting.add(number);
      const step = this.#steps[number];
      if (step === undefined || step.type === "one") continue;
      if (step.type === "found") return true;
      if (step.type === "fork") queue.push(...step.next);
      else if (isEdge(step.edge, place)) queue.push(number + 1);
    }
    return false;
  }
}

interface Place {
  readonly codes: readonly number[];
  readonly at: number;
}

function isEdge(edge: "start" | "end" | "word" | "inside", { codes, at }: Place): boolean {
  if (edge === "start") return at === 0;
  if (edge === "end") return at === codes.length;
  const [before, after] = [codes[at - 1], codes[at]];
  const isBorder = (before !== undefined && isWord(before)) !== (after !== undefined && isWord(after));
  return (edge === "word") === isBorder;
}
