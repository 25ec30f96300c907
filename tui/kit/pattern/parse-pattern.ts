import type { Part, Wanted } from "./program.js";

/** A repetition of more than this is none that a person types; groups are not nested deeper. */
const [mostTimes, deepest] = [200, 50];

const isDigit: Wanted = (code) => code >= 0x30 && code <= 0x39;
const isSpace: Wanted = (code) => code === 0x20 || (code >= 0x09 && code <= 0x0d) || code === 0xa0;

/** A letter, digit or "_", as \w means it. */
export const isWord: Wanted = (code) =>
  isDigit(code) || (code >= 0x41 && code <= 0x5a) || (code >= 0x61 && code <= 0x7a) || code === 0x5f;

const classes: Readonly<Record<string, Wanted>> = {
  d: isDigit,
  s: isSpace,
  w: isWord,
  D: (code) => !isDigit(code),
  S: (code) => !isSpace(code),
  W: (code) => !isWord(code),
};
const controls: Readonly<Record<string, string>> = { t: "\t", n: "\n", r: "\r" };
const repeats: Readonly<Record<string, readonly [number, number]>> = {
  "*": [0, Number.POSITIVE_INFINITY],
  "+": [1, Number.POSITIVE_INFINITY],
  "?": [0, 1],
};

/**
 * Reads a regular expression: characters, ".", classes, groups, "|", "*", "+", "?", "{2,3}", "^", "$", "\b" and the classes \d \s \w.
 * Case does not matter. @throws {SyntaxError} saying what is wrong and where.
 */
export function parsePattern(source: string): Part {
  return new Parser(source).parse();
}

class Parser {
  readonly #characters: readonly string[];
  #at = 0;
  #depth = 0;

  constructor(source: string) {
    this.#characters = [...source];
  }

  parse(): Part {
    const part = this.#alternatives();
    if (this.#at < this.#characters.length) throw this.#wrong('")" without "("');
    return part;
  }

  #alternatives(): Part {
    const parts = [this.#sequence()];
    while (this.#take("|")) parts.push(this.#sequence());
    const [only] = parts;
    return parts.length === 1 && only !== undefined ? only : { type: "any", parts };
  }

  #sequence(): Part {
    const parts: Part[] = [];
    for (let next = this.#peek(); next !== undefined && next !== "|" && next !== ")"; next = this.#peek()) {
      parts.push(this.#repeated(this.#atom()));
    }
    return { type: "all", parts };
  }

  #repeated(part: Part): Part {
    let repeated = part;
    for (let bounds = this.#bounds(); bounds !== undefined; bounds = this.#bounds()) {
      const [least, most] = bounds;
      // Whether as few or as many as possible makes no difference to whether it is there.
      this.#take("?");
      repeated = { type: "times", part: repeated, least, most };
    }
    return repeated;
  }

  #bounds(): readonly [number, number] | undefined {
    const next = this.#peek() ?? "";
    const known = repeats[next];
    if (known !== undefined) {
      this.#at += 1;
      return known;
    }
    const counted = /^\{(\d{1,4})(,?)(\d{0,4})\}/.exec(this.#characters.slice(this.#at, this.#at + 12).join(""));
    if (counted === null) return undefined;
    const [whole, first = "", comma = "", last = ""] = counted;
    const least = Number(first);
    const most = comma === "" ? least : last === "" ? Number.POSITIVE_INFINITY : Number(last);
    if (least > mostTimes || (most !== Number.POSITIVE_INFINITY && (most > mostTimes || most < least))) {
      throw this.#wrong(`"${whole}" is not 0 to ${mostTimes} times, the smaller number first`);
    }
    this.#at += whole.length;
    return [least, most];
  }

  #atom(): Part {
    const character = this.#next();
    switch (character) {
      case "(":
        return this.#group();
      case "[":
        return { type: "one", wanted: this.#set() };
      case ".":
        return { type: "one", wanted: () => true };
      case "^":
        return { type: "edge", edge: "start" };
      case "$":
        return { type: "edge", edge: "end" };
      case "\\":
        return this.#escaped();
      case "*":
      case "+":
      case "?":
        throw this.#wrong(`nothing stands before "${character}"`);
      default:
        return { type: "one", wanted: same(character) };
    }
  }

  #group(): Part {
    this.#depth += 1;
    if (this.#depth > deepest) throw this.#wrong("groups are nested too deep");
    if (this.#peek() === "?") {
      this.#at += 1;
      if (!this.#take(":")) throw this.#wrong('only "(...)" and "(?:...)" are known');
    }
    const part = this.#alternatives();
    if (!this.#take(")")) throw this.#wrong('a ")" is missing');
    this.#depth -= 1;
    return part;
  }

  #escaped(): Part {
    const character = this.#next();
    if (character === "b") return { type: "edge", edge: "word" };
    if (character === "B") return { type: "edge", edge: "inside" };
    if (/[1-9]/.test(character)) throw this.#wrong("what a group found cannot be asked for again");
    return { type: "one", wanted: classes[character] ?? same(controls[character] ?? character) };
  }

  #set(): Wanted {
    const isTurned = this.#take("^");
    const members: Wanted[] = [];
    for (let isFirst = true; isFirst || this.#peek() !== "]"; isFirst = false) {
      if (this.#peek() === undefined) throw this.#wrong('a "]" is missing');
      members.push(this.#member());
    }
    this.#at += 1;
    const isIn: Wanted = (code) => members.some((wanted) => wanted(code));
    return isTurned ? (code) => !isIn(code) : isIn;
  }

  #member(): Wanted {
    const from = this.#memberCharacter();
    if (typeof from !== "string") return from;
    const isRange = this.#peek() === "-" && this.#characters[this.#at + 1] !== "]";
    if (!isRange) return same(from);
    this.#at += 1;
    const to = this.#memberCharacter();
    if (typeof to !== "string" || to < from)
      throw this.#wrong(`a range that begins with "${from}" has no end after it`);
    return between(from, to);
  }

  #memberCharacter(): string | Wanted {
    const character = this.#next();
    if (character !== "\\") return character;
    const escaped = this.#next();
    return classes[escaped] ?? controls[escaped] ?? escaped;
  }

  #peek(): string | undefined {
    return this.#characters[this.#at];
  }

  #take(character: string): boolean {
    if (this.#peek() !== character) return false;
    this.#at += 1;
    return true;
  }

  #next(): string {
    const character = this.#peek();
    if (character === undefined) throw this.#wrong("it ends too early");
    this.#at += 1;
    return character;
  }

  #wrong(what: string): SyntaxError {
    return new SyntaxError(`${what}, at character ${this.#at + 1} of the pattern`);
  }
}

function same(character: string): Wanted {
  const [lower, upper] = [codeOf(character.toLowerCase()), codeOf(character.toUpperCase())];
  return (code) => code === lower || code === upper;
}

function between(from: string, to: string): Wanted {
  const [first, last] = [codeOf(from), codeOf(to)];
  const isIn = (code: number): boolean => code >= first && code <= last;
  return (code) => {
    if (isIn(code)) return true;
    const character = String.fromCodePoint(code);
    return isIn(codeOf(character.toLowerCase())) || isIn(codeOf(character.toUpperCase()));
  };
}

function codeOf(character: string): number {
  return character.codePointAt(0) ?? 0;
}
