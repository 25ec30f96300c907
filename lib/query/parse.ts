import { parsePath } from "./path.js";
import { pointing, QueryError } from "./query-error.js";
import { Scanner, type ScanOptions, type Token } from "./scanner.js";
import type { Comparison, Operator, Query, QueryTree, QueryValue, SortField } from "./tree.js";

const maxQueryLength = 2000;
const maxDepth = 20;
const mostSortFields = 8;

/**
 * Reads a query: comparisons `field op value` and words, joined by and, or, not and parentheses, in small or capital letters; side by side
 * means and. Then `sort by field desc, field` and `limit N`. docs/queries.md has the grammar. Filters in the manner of AIP-160 are queries.
 * @throws {QueryError} that says where it went wrong.
 */
export function parseQuery(text: string, options: ScanOptions = {}): Query {
  return new Parser(scannerOf(text, options)).parse();
}

/** The parts of a query's text: its terms, and the "sort by" and "limit" behind them. @throws {QueryError} for one that is none. */
export function splitQuery(text: string, options: ScanOptions = {}): { readonly terms: string; readonly tail: string } {
  const parser = new Parser(scannerOf(text, options));
  parser.parse();
  return { terms: text.slice(0, parser.tailFrom).trim(), tail: text.slice(parser.tailFrom).trim() };
}

/** Reads what a list is sorted by, "mem desc, name". @throws {QueryError} */
export function parseSort(text: string, options: ScanOptions = {}): readonly SortField[] {
  return new Parser(scannerOf(text, options)).parseSort();
}

function scannerOf(text: string, options: ScanOptions): Scanner {
  const scanner = new Scanner(text, options);
  if (text.length <= maxQueryLength) return scanner;
  const place = { from: maxQueryLength, to: text.length };
  throw new QueryError(scanner.where, `is longer than ${maxQueryLength} characters`, place);
}

class Parser {
  readonly #scanner: Scanner;
  #depth = 0;
  /** Where the terms end. */
  tailFrom = 0;

  constructor(scanner: Scanner) {
    this.#scanner = scanner;
  }

  parse(): Query {
    const scanner = this.#scanner;
    const isEmpty = scanner.isAtEnd || this.#isTail();
    const tree: QueryTree = isEmpty ? { type: "all", terms: [] } : this.#or();
    this.tailFrom = scanner.at;
    let sort: readonly SortField[] = [];
    let limit: number | undefined;
    while (!scanner.isAtEnd) {
      if (sort.length === 0 && scanner.takeKeyword("sort", "by")) sort = this.#sortFields();
      else if (limit === undefined && scanner.takeKeyword("limit")) limit = this.#limit();
      else throw scanner.unexpected("and, or, a term or the end");
    }
    return { tree, sort, limit };
  }

  parseSort(): readonly SortField[] {
    const fields = this.#sortFields();
    if (!this.#scanner.isAtEnd) throw this.#scanner.unexpected('"asc", "desc", a comma or the end');
    return fields;
  }

  /** Whether what follows the terms comes next. */
  #isTail(): boolean {
    const scanner = this.#scanner;
    if (this.#depth > 0) return false;
    return scanner.isKeyword("sort", "by") || /^limit\s+\d+(?:\s|$)/i.test(scanner.text.slice(scanner.at));
  }

  #or(): QueryTree {
    const terms = [this.#and()];
    while (this.#scanner.takeKeyword("or")) terms.push(this.#and());
    return joined("any", terms);
  }

  #and(): QueryTree {
    const scanner = this.#scanner;
    const terms = [this.#not()];
    for (;;) {
      if (scanner.takeKeyword("and")) terms.push(this.#not());
      else if (scanner.isAtEnd || this.#isTail() || scanner.isKeyword("or") || !this.#isTerm()) {
        return joined("all", terms);
      } else terms.push(this.#not());
    }
  }

  /** Whether what comes next can begin a term. */
  #isTerm(): boolean {
    const { next, text, at } = this.#scanner;
    if (next === "!" || next === "~") return /^[!~]+[^\s=!~)]/.test(text.slice(at, at + 3));
    if (this.#scanner.isField !== undefined && next === ":") return true;
    return !/[)=<>:]/.test(next);
  }

  #not(): QueryTree {
    const scanner = this.#scanner;
    const turned = (scanner.takeKeyword("not") && !scanner.isAtEnd) || scanner.takePrefix("!");
    if (!turned) return this.#primary();
    return this.#deeper(() => ({ type: "not", term: this.#not() }));
  }

  #primary(): QueryTree {
    const scanner = this.#scanner;
    if (scanner.take("(")) return this.#rest();
    if (scanner.takePrefix("~")) {
      const token = scanner.takeTerm();
      if (token === undefined) throw scanner.unexpected("a word");
      return { type: "fuzzy", value: token.text, place: token.place };
    }
    if (scanner.isKeyword("and") || scanner.isKeyword("or") || scanner.isKeyword("not")) {
      throw scanner.unexpected("a field or word");
    }
    const token = scanner.takeTerm();
    if (token === undefined) throw scanner.unexpected("a field or word");
    if (token.type === "word" && token.text.toLowerCase() === "has") return this.#has(token);
    const operator = scanner.takeOperator();
    if (operator === undefined) return { type: "word", value: token.text, place: token.place };
    return this.#comparison(token, operator);
  }

  /** `has FIELD`: it is set. */
  #has(token: Token): QueryTree {
    const scanner = this.#scanner;
    const operator = scanner.takeOperator();
    if (operator !== undefined) return this.#comparison(token, operator);
    const isAlone = scanner.isAtEnd || !this.#isTerm() || scanner.next === "(" || this.#isTail();
    const isJoined = scanner.isKeyword("and") || scanner.isKeyword("or") || scanner.isKeyword("not");
    const field = isAlone || isJoined ? undefined : scanner.takeTerm();
    if (field === undefined) return { type: "word", value: token.text, place: token.place };
    const path = pointing(scanner.where, field.place, () => parsePath(scanner.where, field.text));
    const any: QueryValue = { text: "*", isAny: true, place: field.place };
    return { type: "comparison", path, operator: ":", values: [any], place: field.place };
  }

  #comparison({ text, place }: Token, operator: Operator): Comparison {
    const scanner = this.#scanner;
    const path = pointing(scanner.where, place, () => parsePath(scanner.where, text));
    const values = operator === "in" || operator === "not in" ? this.#list() : [this.#value(false)];
    // Both give one at least.
    return { type: "comparison", path, operator, values: values as [QueryValue, ...QueryValue[]], place };
  }

  #list(): QueryValue[] {
    const scanner = this.#scanner;
    if (!scanner.take("(")) throw scanner.unexpected('"("');
    const values = [this.#value(true)];
    while (scanner.take(",")) values.push(this.#value(true));
    if (!scanner.take(")")) throw scanner.unexpected('a comma or ")"');
    return values;
  }

  #value(isListed: boolean): QueryValue {
    const token = this.#scanner.takeValue(isListed);
    if (token === undefined) throw this.#scanner.unexpected("a value");
    const isAny = token.type === "word" && token.text === "*";
    return { text: token.text, isAny, place: token.place };
  }

  /** What follows an opening parenthesis, and the closing one. */
  #rest(): QueryTree {
    return this.#deeper(() => {
      const inner = this.#or();
      if (!this.#scanner.take(")")) throw this.#scanner.unexpected('")"');
      return inner;
    });
  }

  #deeper<T>(work: () => T): T {
    this.#depth += 1;
    if (this.#depth > maxDepth) {
      const { at, where } = this.#scanner;
      throw new QueryError(where, `is nested more than ${maxDepth} deep`, { from: at, to: at + 1 });
    }
    const inner = work();
    this.#depth -= 1;
    return inner;
  }

  #limit(): number {
    const from = this.#scanner.at;
    const limit = this.#scanner.takeNumber();
    if (limit === undefined) throw this.#scanner.unexpected("a number from 1 on");
    const { at: to, where } = this.#scanner;
    if (limit === 0) throw new QueryError(where, "a limit is a number from 1 on", { from, to });
    return limit;
  }

  #sortFields(): readonly SortField[] {
    const scanner = this.#scanner;
    const fields: SortField[] = [];
    do {
      const token = scanner.takePath();
      if (token === undefined) throw scanner.unexpected("a field");
      const { text, place } = token;
      const path = pointing(scanner.where, place, () => parsePath(scanner.where, text));
      const descending = scanner.takeDirection() === "desc";
      fields.push({ path, descending, place });
      if (fields.length > mostSortFields) {
        throw new QueryError(scanner.where, `sorts by more than ${mostSortFields} fields`, place);
      }
    } while (scanner.take(","));
    return fields;
  }
}

function joined(type: "all" | "any", terms: readonly QueryTree[]): QueryTree {
  const [only] = terms;
  return terms.length === 1 && only !== undefined ? only : { type, terms };
}
