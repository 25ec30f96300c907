import { invalidArgument } from "../errors.js";
import { quote } from "../names.js";

/** How a field and a value are compared; ":" is "has": contains, equals, or holds the key, whatever suits the field. */
export type Operator = "=" | "!=" | "<" | "<=" | ">" | ">=" | ":";

/** Segments of a dotted path to a field, such as ["labels", "example.com/site"]. */
export type Path = readonly string[];

/** A filter as it was written, before anybody looked whether its fields exist. */
export type FilterTree =
  | { readonly type: "all" | "any"; readonly terms: readonly FilterTree[] }
  | { readonly type: "not"; readonly term: FilterTree }
  /** A value that stands alone. */
  | { readonly type: "bare"; readonly value: string }
  | { readonly type: "comparison"; readonly path: Path; readonly operator: Operator; readonly value: FilterValue };

/** The right side of a comparison. */
export interface FilterValue {
  readonly text: string;
  /** "*" without quotes: whatever is set. */
  readonly isAny: boolean;
}

interface Token {
  readonly type: "word" | "string" | "operator" | "(" | ")";
  readonly text: string;
  /** Column after it. */
  readonly at: number;
}

/** A quoted part of a word follows a dot: `labels."a:b"`. */
const tokenPattern =
  /\s*(?:("(?:[^"\\]|\\.)*")|(!=|<=|>=|=|<|>|:)|([()])|([^\s"()=<>:!]+(?:(?<=\.)"(?:[^"\\]|\\.)*"[^\s"()=<>:!]*)*))/y;
const segmentPattern = /"(?:[^"\\]|\\.)*"|[^."]+|\.(?=\.|$)/g;
const maxLength = 2000;
const maxDepth = 20;

/**
 * Reads a filter in the manner of AIP-160: comparisons `field op value` joined by AND, OR, NOT and parentheses. Terms side by side
 * mean AND. An empty filter is an `all` without terms.
 * @throws {ZorError} INVALID_ARGUMENT that says where it went wrong.
 */
export function parseFilterSyntax(filter: string): FilterTree {
  if (filter.trim() === "") return { type: "all", terms: [] };
  if (filter.length > maxLength) throw invalidArgument("filter", `is longer than ${maxLength} characters`);
  return new Parser(tokenize(filter)).parse();
}

/** Segments of a path as people write it; those in quotes may hold anything. @throws {ZorError} INVALID_ARGUMENT naming `where`. */
export function parsePath(where: string, text: string): Path {
  const segments = text.match(segmentPattern) ?? [];
  const plain = segments.map((segment) => (segment.startsWith('"') ? unquote(where, segment) : segment));
  if (plain.length === 0 || text.startsWith(".") || plain.includes(".")) {
    throw invalidArgument(where, `${quote(text)} is not a path of fields such as status.state`);
  }
  return plain;
}

function tokenize(filter: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  while (filter.slice(at).trim() !== "") {
    tokenPattern.lastIndex = at;
    const match = tokenPattern.exec(filter);
    if (match === null) throw invalidArgument("filter", `cannot read it from column ${at + 1} on`);
    const [whole, text, operator, parenthesis, word] = match;
    at += whole.length;
    if (text !== undefined) tokens.push({ type: "string", text: unquote("filter", text), at });
    else if (operator !== undefined) tokens.push({ type: "operator", text: operator, at });
    else if (parenthesis !== undefined) tokens.push({ type: parenthesis as "(" | ")", text: parenthesis, at });
    else tokens.push({ type: "word", text: word ?? "", at });
  }
  return tokens;
}

function unquote(where: string, text: string): string {
  try {
    return JSON.parse(text) as string;
  } catch {
    throw invalidArgument(
      where,
      `the quoted text ${quote(text)} is not valid: a backslash begins an escape such as \\" or \\\\`,
    );
  }
}

class Parser {
  readonly #tokens: readonly Token[];
  #position = 0;
  #depth = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  parse(): FilterTree {
    const tree = this.#or();
    const rest = this.#peek();
    if (rest === undefined) return tree;
    const advice =
      rest.type === "operator" ? '; a value that holds any of : = < > ! is written in quotes, "10:20"' : "";
    throw invalidArgument("filter", `unexpected ${quote(rest.text)} before column ${rest.at + 1}${advice}`);
  }

  #or(): FilterTree {
    const terms = [this.#and()];
    while (this.#takeWord("OR")) terms.push(this.#and());
    return joined("any", terms);
  }

  #and(): FilterTree {
    const terms = [this.#not()];
    for (;;) {
      const next = this.#peek();
      if (this.#takeWord("AND")) terms.push(this.#not());
      else if (next !== undefined && next.type !== ")" && next.type !== "operator" && next.text !== "OR") {
        terms.push(this.#not());
      } else return joined("all", terms);
    }
  }

  #not(): FilterTree {
    return this.#takeWord("NOT") ? { type: "not", term: this.#primary() } : this.#primary();
  }

  #primary(): FilterTree {
    const token = this.#next("a comparison");
    if (token.type === "(") return this.#rest();
    const isReserved = token.type === "word" && (token.text === "AND" || token.text === "OR");
    if (isReserved || (token.type !== "word" && token.type !== "string")) {
      throw invalidArgument("filter", `expected a field or value before column ${token.at + 1}`);
    }
    if (this.#peek()?.type !== "operator") return { type: "bare", value: token.text };
    const path = parsePath("filter", token.text);
    const operator = this.#next("an operator").text as Operator;
    const value = this.#next("a value");
    if (value.type !== "word" && value.type !== "string") {
      throw invalidArgument("filter", `expected a value before column ${value.at + 1}`);
    }
    const isAny = value.type === "word" && value.text === "*";
    return { type: "comparison", path, operator, value: { text: value.text, isAny } };
  }

  /** What follows an opening parenthesis, and the closing one. */
  #rest(): FilterTree {
    this.#depth += 1;
    if (this.#depth > maxDepth) throw invalidArgument("filter", `is nested more than ${maxDepth} deep`);
    const inner = this.#or();
    const closing = this.#next('")"');
    if (closing.type !== ")") throw invalidArgument("filter", `expected ")" before column ${closing.at + 1}`);
    this.#depth -= 1;
    return inner;
  }

  #peek(): Token | undefined {
    return this.#tokens[this.#position];
  }

  #next(expected: string): Token {
    const token = this.#tokens[this.#position];
    if (token === undefined) throw invalidArgument("filter", `ends where ${expected} was expected`);
    this.#position += 1;
    return token;
  }

  #takeWord(word: string): boolean {
    const token = this.#peek();
    if (token?.type !== "word" || token.text !== word) return false;
    this.#position += 1;
    return true;
  }
}

function joined(type: "all" | "any", terms: readonly [FilterTree, ...FilterTree[]] | FilterTree[]): FilterTree {
  const [only] = terms;
  return terms.length === 1 && only !== undefined ? only : { type, terms };
}
