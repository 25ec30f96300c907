/** What a query goes on with at its end. */
export type Expected =
  | "term" // a field or a word
  | "joint" // and, or, another term, sort by, limit
  | "operator" // behind what may be a field
  | "value"
  | "listed" // one of the values of in (…)
  | "behind listed" // a comma or ")"
  | "field" // after has
  | "sort field"
  | "behind sort field"
  | "limit";

/** What is being typed at the end of a text that may become a query. */
export interface QueryPlace {
  readonly expected: Expected;
  /** The field that an operator or a value belongs to; "": none. */
  readonly field: string;
  /** Where the word begins that is being typed; the text's length: none is. */
  readonly from: number;
  readonly typed: string;
  /** Parentheses that are open. */
  readonly depth: number;
}

const word = /[^\s"()=<>:!~]+(?:(?<=\.)"(?:[^"\\]|\\.)*(?:"[^\s"()=<>:!~]*|$))*|"(?:[^"\\]|\\.)*(?:"|$)/y;
const value = /'(?:[^'\\]|\\.)*(?:'(?=[\s(),]|$)|$)|[^\s"()=<>:!]+|"(?:[^"\\]|\\.)*(?:"|$)/y;
const listed = /'(?:[^'\\]|\\.)*(?:'(?=[\s(),]|$)|$)|[^\s"()=<>:!,]+|"(?:[^"\\]|\\.)*(?:"|$)/y;
const sorted = /[^\s"(),=<>:!~]+(?:(?<=\.)"(?:[^"\\]|\\.)*(?:"[^\s"(),=<>:!~]*|$))*|"(?:[^"\\]|\\.)*(?:"|$)/y;
const symbol = /!=|!~|<=|>=|==|=|<|>|:|~/y;
const inList = /(?:(?:not|NOT)\s+)?(?:in|IN)\s*\(/y;
const sortBy = /(?:sort|SORT)\s+(?:by|BY)\s/y;
const limit = /(?:limit|LIMIT)\s/y;
const direction = /(?:asc|desc)(?=[\s,])/iy;

/** Reads a text as far as it goes, without minding what its fields are. Undefined: what is wrong with it is wrong before its end. */
export function placeAtEnd(text: string): QueryPlace | undefined {
  const reader = new PlaceReader(text);
  // Each step takes a word, or is followed by one that does.
  for (let left = 2 * text.length + 8; left > 0; left -= 1) {
    const place = reader.step();
    if (place !== undefined) return place === "wrong" ? undefined : place;
  }
  return undefined;
}

class PlaceReader {
  readonly #text: string;
  #at = 0;
  #expected: Expected = "term";
  #field = "";
  #depth = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /** Goes on by a word or sign. Undefined: there is more. */
  step(): QueryPlace | "wrong" | undefined {
    while (/\s/.test(this.#text[this.#at] ?? "")) this.#at += 1;
    if (this.#at >= this.#text.length) return this.#place(this.#text.length);
    switch (this.#expected) {
      case "term":
        return this.#term();
      case "joint":
        return this.#joint();
      case "operator":
        return this.#operator();
      case "value":
        return this.#word(value, "joint");
      case "field":
        return this.#word(word, "joint");
      case "listed":
        return this.#word(listed, "behind listed");
      case "behind listed":
        return this.#sign({ ",": "listed", ")": "joint" });
      case "sort field":
        return this.#word(sorted, "behind sort field");
      case "behind sort field":
        return this.#behindSort();
      case "limit":
        return this.#word(sorted, "behind sort field");
    }
  }

  #place(from: number): QueryPlace {
    const typed = this.#text.slice(from);
    return { expected: this.#expected, field: this.#field, from, typed, depth: this.#depth };
  }

  #take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    if (found !== undefined) this.#at += found.length;
    return found;
  }

  get #isAtEnd(): boolean {
    return this.#at >= this.#text.length;
  }

  /** What is taken whole; at the very end of the text it is still being typed. */
  #word(pattern: RegExp, next: Expected): QueryPlace | "wrong" | undefined {
    const from = this.#at;
    if (this.#take(pattern) === undefined) return "wrong";
    if (this.#isAtEnd) return this.#place(from);
    this.#expected = next;
    return undefined;
  }

  #sign(next: Readonly<Record<string, Expected>>): "wrong" | undefined {
    const expected = next[this.#text[this.#at] ?? ""];
    if (expected === undefined) return "wrong";
    this.#at += 1;
    this.#expected = expected;
    return undefined;
  }

  #term(): QueryPlace | "wrong" | undefined {
    const from = this.#at;
    const sign = this.#text[from];
    if (sign === "(" || sign === "!") {
      this.#at += 1;
      if (sign === "(") this.#depth += 1;
      return undefined;
    }
    if (sign === "~") {
      this.#at += 1;
      // Of letters nothing is known.
      if (this.#take(word) === undefined || this.#isAtEnd) return "wrong";
      this.#expected = "joint";
      return undefined;
    }
    if (this.#isTail()) return undefined;
    const found = this.#take(word);
    if (found === undefined) return "wrong";
    if (this.#isAtEnd) return this.#place(from);
    const keyword = this.#keywordOf(found);
    if (keyword === "and" || keyword === "or") return "wrong";
    if (keyword === "not") return undefined;
    this.#field = found;
    this.#expected = keyword === "has" ? "field" : "operator";
    return undefined;
  }

  /** A word that was taken, if it is a keyword: in small or capital letters, and not the beginning of something else. */
  #keywordOf(found: string): string | undefined {
    const isAlone = /^(?:[\s()]|$)/.test(this.#text[this.#at] ?? "");
    return isAlone && (found === found.toUpperCase() || found === found.toLowerCase())
      ? found.toLowerCase()
      : undefined;
  }

  /** "sort by" and "limit" behind the terms. */
  #isTail(): boolean {
    if (this.#depth > 0) return false;
    if (this.#take(sortBy) !== undefined) this.#expected = "sort field";
    else if (this.#take(limit) !== undefined) this.#expected = "limit";
    else return false;
    this.#field = "";
    return true;
  }

  #joint(): QueryPlace | "wrong" | undefined {
    this.#field = "";
    if (this.#text[this.#at] === ")") {
      this.#at += 1;
      this.#depth -= 1;
      return this.#depth < 0 ? "wrong" : undefined;
    }
    if (this.#isTail()) return undefined;
    const from = this.#at;
    const found = this.#take(word);
    if (found !== undefined && this.#isAtEnd) return this.#place(from);
    const isWord = found !== undefined && ["and", "or"].includes(this.#keywordOf(found) ?? "");
    // Side by side means and.
    if (!isWord) this.#at = from;
    this.#expected = "term";
    return undefined;
  }

  #operator(): QueryPlace | "wrong" | undefined {
    const from = this.#at;
    if (this.#take(inList) !== undefined) {
      this.#expected = "listed";
      return undefined;
    }
    const isApart = /\s/.test(this.#text[from - 1] ?? "");
    const sign = this.#take(symbol);
    if (sign !== undefined) {
      // `a ~b` are two terms.
      if (isApart && sign.endsWith("~") && /\S/.test(this.#text[this.#at] ?? " ")) this.#at = from;
      this.#expected = this.#at === from ? "joint" : "value";
      return undefined;
    }
    if (this.#text.slice(from) === "!") return this.#place(from);
    const found = this.#take(word);
    if (found !== undefined && this.#isAtEnd) return this.#place(from);
    if (found === "has" || found === "HAS") {
      this.#expected = "value";
      return undefined;
    }
    this.#at = from;
    this.#expected = "joint";
    return undefined;
  }

  #behindSort(): QueryPlace | "wrong" | undefined {
    if (this.#text[this.#at] === ",") return this.#sign({ ",": "sort field" });
    if (this.#take(direction) !== undefined || this.#isTail()) return undefined;
    const from = this.#at;
    return this.#take(word) !== undefined && this.#isAtEnd ? this.#place(from) : "wrong";
  }
}
