import { quote } from "../names.js";
import { unquote } from "./path.js";
import { pointing, QueryError } from "./query-error.js";
import type { Operator, Place } from "./tree.js";

/** A part of a query that was read. */
export interface Token {
  readonly type: "word" | "string";
  readonly text: string;
  readonly place: Place;
}

/** How a query is read. */
export interface ScanOptions {
  /** Field of the request that holds the query, for errors; default: "filter". */
  readonly where?: string;
  /**
   * Given where people type words into tables: values may hold what elsewhere stands in quotes, a value may be missing, and a colon is one of
   * a word unless a field of the table stands before it.
   */
  readonly isField?: (text: string) => boolean;
}

const quoted = /"(?:[^"\\]|\\.)*"/y;
/** As filters of AIP-160 and shells have it. An apostrophe within a word is one, and so is one that no other belongs to where people type words. */
const singleQuoted = /'(?:[^'\\]|\\.)*'(?=[\s(),]|$)/y;
/** A quoted part of a word follows a dot: `labels."a:b"`. */
const word = /[^\s"()=<>:!~]+(?:(?<=\.)"(?:[^"\\]|\\.)*"[^\s"()=<>:!~]*)*/y;
const listedPath = /[^\s"(),=<>:!~]+(?:(?<=\.)"(?:[^"\\]|\\.)*"[^\s"(),=<>:!~]*)*/y;
const looseWord = /[^\s"()]+/y;
const value = /[^\s"()=<>:!]+/y;
const listedValue = /[^\s"()=<>:!,]+/y;
const operator = /!=|!~|<=|>=|==|=|<|>|:|~/y;
const wordOperator = /(?:(?:not|NOT)\s+)?(?:in|IN)(?=\s*\()|(?:has|HAS)(?=\s+[^\s)])/y;

/** Reads a query from left to right. What a character means depends on what is expected. */
export class Scanner {
  readonly text: string;
  readonly where: string;
  readonly isField: ScanOptions["isField"];
  #at = 0;
  /** Whether there was a space before the operator that was taken last. */
  #isApart = false;

  constructor(text: string, { where = "filter", isField }: ScanOptions) {
    this.text = text;
    this.where = where;
    this.isField = isField;
  }

  /** Index of the next character that is no space. */
  get at(): number {
    while (/\s/.test(this.text[this.#at] ?? "")) this.#at += 1;
    return this.#at;
  }

  get isAtEnd(): boolean {
    return this.at >= this.text.length;
  }

  /** The next character; "": there is none. */
  get next(): string {
    return this.text[this.at] ?? "";
  }

  /** Takes one character, if it is the next. */
  take(character: string): boolean {
    if (this.next !== character) return false;
    this.#at += 1;
    return true;
  }

  /** Takes a sign that belongs to what follows it at once: "!" or "~" before a term. */
  takePrefix(sign: "!" | "~"): boolean {
    if (this.next !== sign) return false;
    const after = this.text[this.#at + 1] ?? "";
    if (after === "" || /[\s=)]/.test(after) || (sign === "~" && after === "!")) return false;
    this.#at += 1;
    return true;
  }

  /** The keyword that comes next, in small or capital letters; it stays. */
  isKeyword(...words: readonly string[]): boolean {
    let at = this.at;
    for (const each of words) {
      const found = this.text.slice(at, at + each.length);
      if (found !== each && found !== each.toUpperCase()) return false;
      at += each.length;
      if (!/^(?:[\s()]|$)/.test(this.text[at] ?? "")) return false;
      while (/\s/.test(this.text[at] ?? "")) at += 1;
    }
    return true;
  }

  takeKeyword(...words: readonly string[]): boolean {
    if (!this.isKeyword(...words)) return false;
    for (const each of words) this.#at = this.at + each.length;
    return true;
  }

  /** "asc" or "desc" behind what is sorted by. */
  takeDirection(): string | undefined {
    return this.#match(/(?:asc|desc)(?=[\s,]|$)/iy)?.toLowerCase();
  }

  /** A whole number, if it is next and ends there. */
  takeNumber(): number | undefined {
    const found = this.#match(/\d{1,9}(?=\s|$)/y);
    return found === undefined ? undefined : Number(found);
  }

  /** What a term begins with: a field or a word. Undefined: neither is next. */
  takeTerm(): Token | undefined {
    const from = this.at;
    const text = this.#takeQuoted();
    if (text !== undefined) return { type: "string", text, place: this.#place(from) };
    const found = this.#match(word);
    if (this.isField !== undefined && this.#isOfWord(found)) {
      this.#at = from;
      const loose = this.#match(looseWord) ?? "";
      return { type: "word", text: loose, place: this.#place(from) };
    }
    return found === undefined ? undefined : { type: "word", text: found, place: this.#place(from) };
  }

  /** The operator behind a field; undefined: there is none, what stood there is a word. */
  takeOperator(): Operator | undefined {
    this.#isApart = /\s/.test(this.text[this.#at] ?? "");
    const from = this.at;
    const symbol = this.#match(operator);
    if (symbol !== undefined) {
      // `a ~b` are two terms, `a ~ b` and `a~b` are one; so with "!~", where `!` turns round what is alike.
      const isNextTerm = this.#isApart && symbol.endsWith("~") && /\S/.test(this.text[this.#at] ?? " ");
      if (isNextTerm) this.#at = from;
      // A pattern of this module matches operators only.
      return isNextTerm ? undefined : (symbol as Operator);
    }
    const said = this.#match(wordOperator)?.toLowerCase();
    if (said === undefined) return undefined;
    if (said === "has") return ":";
    return said === "in" ? "in" : "not in";
  }

  /** A value, quoted or not. @param isListed one of several, which commas part. */
  takeValue(isListed = false): Token | undefined {
    if (this.isField !== undefined && !isListed && !this.#isApart && /^(?:\s|$)/.test(this.text[this.#at] ?? "")) {
      return { type: "string", text: "", place: this.#place(this.#at) };
    }
    const from = this.at;
    const text = this.#takeQuoted();
    if (text !== undefined) return { type: "string", text, place: this.#place(from) };
    // Taken for a word it would be a value that nothing has.
    if (this.isField === undefined && this.next === "'") return undefined;
    const found = this.#match(isListed ? listedValue : this.isField === undefined ? value : looseWord);
    return found === undefined ? undefined : { type: "word", text: found, place: this.#place(from) };
  }

  /** A field of those that are sorted by. */
  takePath(): Token | undefined {
    const from = this.at;
    const text = this.#takeQuoted() ?? this.#match(listedPath);
    return text === undefined ? undefined : { type: "word", text, place: this.#place(from) };
  }

  /** The error about what comes next. */
  unexpected(expected: string): QueryError {
    const from = this.at;
    if (this.isAtEnd) {
      return new QueryError(this.where, `ends where ${expected} was expected, at column ${from + 1}`, {
        from,
        to: from,
      });
    }
    const found = /^(?:[=<>!:~]+|"|[()]|[^\s()"=<>!:~]+)/.exec(this.text.slice(from, from + 60))?.[0] ?? this.next;
    const advice = /[=<>!:]/.test(found) ? '; a value that holds any of : = < > ! is written in quotes, "10:20"' : "";
    const text = `unexpected ${quote(found)} at column ${from + 1}, where ${expected} was expected${advice}`;
    return new QueryError(this.where, /^["']/.test(found) ? `${text}; the quotes are not closed` : text, {
      from,
      to: from + found.length,
    });
  }

  /** A colon behind what is no field is a part of the word. */
  #isOfWord(found: string | undefined): boolean {
    return this.text[this.#at] === ":" && (found === undefined || this.isField?.(found) !== true);
  }

  #takeQuoted(): string | undefined {
    const from = this.at;
    const found = this.#match(quoted) ?? this.#match(singleQuoted);
    if (found === undefined) return undefined;
    return pointing(this.where, this.#place(from), () => unquote(this.where, found));
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text)?.[0];
    if (found !== undefined) this.#at += found.length;
    return found;
  }

  #place(from: number): Place {
    return { from, to: this.#at };
  }
}
