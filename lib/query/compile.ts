import { invalidArgument, type ZorError } from "../errors.js";
import { comparison, contains, enumNames } from "../list/comparison.js";
import type { Test } from "../list/field.js";
import { quote } from "../names.js";
import { nearest } from "../nearest.js";
import { listed } from "../words.js";
import { fuzzyTest, guarded, patternTest } from "./pattern.js";
import { pointing, QueryError } from "./query-error.js";
import { findQueryField, type QueryField } from "./query-field.js";
import type { Comparison, QueryTree, QueryValue } from "./tree.js";

/** Whether something is what a query asks for. */
export type Predicate<R> = (row: R) => boolean;

/** How a query is made into a predicate. */
export interface CompileOptions<R> {
  /** Field of the request that holds the query, for errors. */
  readonly where: string;
  /** Full name of the message that is asked about. */
  readonly type: string;
  /** What a word alone is looked for in. */
  readonly words: "name" | "text";
  /** Whether others than its author wait for it: a pattern that takes too long makes the predicate throw RESOURCE_EXHAUSTED. */
  readonly isGuarded?: boolean;
  /** Makes what reads a field of a row. */
  readonly bind: (field: QueryField) => (row: R) => unknown;
  /**
   * Told of a comparison that makes no sense for this type; it holds of nothing then. Default: it is thrown.
   */
  readonly onBad?: (term: QueryTree, error: QueryError) => void;
}

/** All look-ups happen here, once: the predicate touches no descriptor. @throws {QueryError} for fields and values that there are not. */
export function compileQuery<R>(tree: QueryTree, options: CompileOptions<R>): Predicate<R> {
  switch (tree.type) {
    case "all":
    case "any": {
      const terms = tree.terms.map((term) => compileQuery(term, options));
      const [first, second] = terms;
      if (terms.length === 2 && first !== undefined && second !== undefined) {
        return tree.type === "all" ? (row) => first(row) && second(row) : (row) => first(row) || second(row);
      }
      return tree.type === "all" ? (row) => terms.every((term) => term(row)) : (row) => terms.some((term) => term(row));
    }
    case "not": {
      const inner = compileQuery(tree.term, options);
      return (row) => !inner(row);
    }
    case "word":
    case "fuzzy":
      return word(tree, options);
    case "comparison":
      return sensible(tree, options);
  }
}

function word<R>({ type, value }: QueryTree & { type: "word" | "fuzzy" }, options: CompileOptions<R>): Predicate<R> {
  const field = findQueryField(options.where, options.type, [options.words]);
  const read = options.bind(field);
  if (type === "fuzzy") {
    const isAlike = fuzzyTest(value);
    // A line is one text of the resource: letters are not gathered from several.
    return (row) => String(read(row)).split("\n").some(isAlike);
  }
  if (options.words === "text") {
    const wanted = value.toLowerCase();
    return (row) => (read(row) as string).includes(wanted);
  }
  const test = contains(value);
  return (row) => test(read(row));
}

function sensible<R>(tree: Comparison, options: CompileOptions<R>): Predicate<R> {
  if (options.onBad === undefined) return compared(tree, options);
  try {
    return compared(tree, options);
  } catch (error) {
    if (!(error instanceof QueryError)) throw error;
    options.onBad(tree, error);
    return () => false;
  }
}

function compared<R>(tree: Comparison, options: CompileOptions<R>): Predicate<R> {
  const { where, type, bind } = options;
  const { operator, values, place } = tree;
  const field = pointing(where, place, () => findQueryField(where, type, tree.path));
  const isTurned = operator === "!=" || operator === "!~" || operator === "not in";
  const tests = values.map((value) => pointing(where, value.place, () => testOf(options, field, tree, value)));
  const [only] = tests;
  const test: Test = tests.length === 1 && only !== undefined ? only : (value) => tests.some((each) => each(value));
  const read = bind(field);
  const holds: Predicate<R> = field.isRepeated
    ? (row) => {
        const found = read(row);
        return Array.isArray(found) && found.some(test);
      }
    : (row) => test(read(row));
  // None of several values may be the one.
  return isTurned ? (row) => !holds(row) : holds;
}

type Place = Pick<CompileOptions<never>, "where" | "isGuarded">;

function testOf(place: Place, field: QueryField, { operator }: Comparison, value: QueryValue): Test {
  const { where } = place;
  switch (operator) {
    case "~":
    case "!~":
      return alike(place, field, value.text);
    case "=":
    case "==":
    case "!=":
    case "in":
    case "not in":
      return equal(where, field, operator === "!=" ? "!=" : "=", value);
    default:
      return comparison(field, operator, value);
  }
}

function equal(where: string, field: QueryField, operator: "=" | "!=", value: QueryValue): Test {
  const { equals, choices } = field;
  if (value.isAny || field.value.type !== "text") return comparison(field, operator, value);
  const wanted = value.text;
  if (choices !== undefined) {
    const lower = wanted.toLowerCase();
    if (!choices.includes(lower)) {
      const near = nearest(lower, choices);
      const guess = near === undefined ? "" : `did you mean ${near}? `;
      const known = listed(
        choices.filter((each) => each.length > 2),
        16,
      );
      throw invalidArgument(where, `${quote(wanted)} is not a value of ${field.text}; ${guess}its values are ${known}`);
    }
    return (found) => found === lower;
  }
  if (equals !== undefined) return (found) => equals(String(found ?? ""), wanted);
  return comparison(field, operator, value);
}

/** The test of values like a pattern. */
function alike({ where, isGuarded = false }: Place, field: QueryField, pattern: string): Test {
  const { value, text } = field;
  if (value.type === "text") {
    const own = patternTest(where, pattern);
    const test = isGuarded ? guarded(pattern, own) : own;
    return (found) => test(typeof found === "string" ? found : "");
  }
  if (value.type === "enum") {
    const test = patternTest(where, pattern);
    const passing = new Set(enumNames(value.values).flatMap(({ name, number }) => (test(name) ? [number] : [])));
    return (found) => passing.has(typeof found === "number" ? found : 0);
  }
  throw invalidArgument(where, `${text} is no text: "~" is for texts; compare it with = or <`);
}

/** What a query for one kind, or many, makes no sense of: each error that all kinds agree in. */
export class BadTerms {
  readonly #errors = new Map<QueryTree, QueryError[]>();

  note(term: QueryTree, error: QueryError): void {
    this.#errors.set(term, [...(this.#errors.get(term) ?? []), error]);
  }

  /** @throws {QueryError} for a term that made no sense for any of the kinds. */
  throwCommon(kinds: number): void {
    for (const errors of this.#errors.values()) {
      const [first] = errors;
      if (first !== undefined && errors.length === kinds) throw clearest(errors) ?? first;
    }
  }
}

/** Of several errors about one term the one that has a guess. */
function clearest(errors: readonly ZorError[]): ZorError | undefined {
  return (
    errors.find(({ message }) => message.includes("did you mean")) ??
    errors.find(({ message }) => message.includes(" is not a value of "))
  );
}
