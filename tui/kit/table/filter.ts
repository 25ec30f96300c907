import { findKindBySingular } from "../../../lib/kinds/kinds.js";
import { compileQuery } from "../../../lib/query/compile.js";
import { filedNamesOf } from "../../../lib/query/derived.js";
import { type Facts, noFacts } from "../../../lib/query/facts.js";
import { parseQuery } from "../../../lib/query/parse.js";
import { fuzzyTest, patternTest } from "../../../lib/query/pattern.js";
import { pointing, QueryError } from "../../../lib/query/query-error.js";
import { findQueryField, type QueryField } from "../../../lib/query/query-field.js";
import type { Comparison, Query, QueryTree, QueryValue } from "../../../lib/query/tree.js";
import type { Figure } from "../../../proto/gen/zor/v1/figures.js";
import type { Link } from "../../../proto/gen/zor/v1/link.js";
import type { CellContext, FleetView } from "../fleet/fleet-view.js";
import { shortName } from "../resource-name.js";
import { labelsOf, type Row } from "../row.js";
import type { Column } from "./column.js";

/** A filter as typed, understood. */
export interface Filter {
  readonly text: string;
  readonly query: Query;
  /** Patterns that texts are compared with. */
  readonly patterns: ReadonlyMap<Comparison, readonly ((text: string) => boolean)[]>;
  /** What is asked of a comparison's field, by kind; undefined: no field of the kind. */
  readonly asked: Map<string, Map<Comparison, Ask | undefined>>;
  /** Tests that were made of it, by the columns that they look in. */
  readonly tests: WeakMap<readonly Column[], FilterTest>;
}

type Ask = (row: Row, context: CellContext) => boolean;

/** The filter that lets everything through. */
export const noFilter: Filter = parseFilter("");

/**
 * Reads a filter in the language of queries (docs/queries.md): `web` looks in every column, `~wb` for its letters, `!web` turns a word round;
 * `state=running` and `host!=beta` look in one column, field or label, where `=` is content with a part of it and `==` is not; `mem>4GiB`,
 * `age<1h`, `host~"^a"`. Case does not matter. @param isField whether a word before a colon is a field; else the colon is a part of the word.
 * @throws {QueryError}
 */
export function parseFilter(text: string, isField: (word: string) => boolean = () => false): Filter {
  const query = parseQuery(text, { isField });
  const isPattern = ({ operator }: Comparison): boolean => operator === "~" || operator === "!~";
  const patterns = comparisonsOf(query.tree)
    .filter(isPattern)
    .map((tree) => [tree, tree.values.map(patternOf)] as const);
  return { text, query, patterns: new Map(patterns), asked: new Map(), tests: new WeakMap() };
}

function patternOf({ text, place }: QueryValue): (text: string) => boolean {
  return pointing("filter", place, () => patternTest("filter", text));
}

/** Whether a filter lets everything through. */
export function isOpen({ query: { tree } }: Filter): boolean {
  return tree.type === "all" && tree.terms.length === 0;
}

/** Whether whatever passes `next` passes `before` as well: it surely does where words have been typed on, or were added. */
export function narrows(before: Filter, next: Filter): boolean {
  const [wide, narrow] = [wordsOf(before.query.tree), wordsOf(next.query.tree)];
  if (wide === undefined || narrow === undefined) return false;
  return wide.every((word) => narrow.some((longer) => longer.includes(word)));
}

/** The words of a filter of nothing but words that all have to be there, in small letters. */
function wordsOf(tree: QueryTree): readonly string[] | undefined {
  if (tree.type === "word") return [tree.value.toLowerCase()];
  if (tree.type !== "all") return undefined;
  const words = tree.terms.map(wordsOf);
  return words.every((each) => each !== undefined) ? words.flat() : undefined;
}

/** What a filter is asked about. */
export interface Subject {
  readonly row: Row;
  /** What {@link searchedText} gives of it. */
  readonly text: string;
}

/** Whether something passes a filter. */
export type FilterTest = (subject: Subject, context: CellContext) => boolean;

/** All that words are looked for in, in small letters: the name as it is said everywhere, "alpha/vm1", and a line for each column that can be searched. */
export function searchedText(row: Row, columns: readonly Column[], context: CellContext): string {
  let text = shortName(row.name);
  for (const column of columns) {
    if (column.searched === undefined) continue;
    const found = column.searched(row, context);
    if (found !== "") text += text === "" ? found : `\n${found}`;
  }
  return text.toLowerCase();
}

/** Whether a row passes a filter. */
export function matches(filter: Filter, row: Row, columns: readonly Column[], context: CellContext): boolean {
  let test = filter.tests.get(columns);
  if (test === undefined) {
    test = compileFilter(filter, columns);
    filter.tests.set(columns, test);
  }
  let text: string | undefined;
  const subject: Subject = {
    row,
    get text() {
      text ??= searchedText(row, columns, context);
      return text;
    },
  };
  return test(subject, context);
}

/** A filter as a test that looks nothing up. What does not compare fields looks at no more than the text. */
export function compileFilter(filter: Filter, columns: readonly Column[]): FilterTest {
  return compiled(filter.query.tree, filter, columns);
}

function compiled(tree: QueryTree, filter: Filter, columns: readonly Column[]): FilterTest {
  switch (tree.type) {
    case "all":
    case "any": {
      const terms = tree.terms.map((term) => compiled(term, filter, columns));
      return tree.type === "all"
        ? (subject, context) => terms.every((term) => term(subject, context))
        : (subject, context) => terms.some((term) => term(subject, context));
    }
    case "not": {
      const term = compiled(tree.term, filter, columns);
      return (subject, context) => !term(subject, context);
    }
    case "word": {
      const wanted = tree.value.toLowerCase();
      return ({ text }) => text.includes(wanted);
    }
    case "fuzzy": {
      const isAlike = fuzzyTest(tree.value);
      return ({ text }) => isAlike(text) && text.split("\n").some(isAlike);
    }
    case "comparison":
      return compiledComparison(tree, filter, columns);
  }
}

function compiledComparison(tree: Comparison, filter: Filter, columns: readonly Column[]): FilterTest {
  const field = tree.path.join(".").toLowerCase();
  const column = columns.find(({ id, searched: text }) => id === field && text !== undefined);
  if (column !== undefined && !["<", "<=", ">", ">="].includes(tree.operator)) {
    return ({ row }, context) => textHolds(filter, tree, searched(column, row, context));
  }
  return ({ row }, context) => {
    const ask = askOf(filter, row.kind, tree);
    return ask === undefined ? textHolds(filter, tree, findLabel(row, field)) : ask(row, context);
  };
}

/** What a comparison says of the text of a column, or of a label; undefined: there is none. */
function textHolds({ patterns }: Filter, tree: Comparison, text: string | undefined): boolean {
  const { operator, values } = tree;
  const tests = patterns.get(tree);
  if (tests !== undefined) return tests.some((test) => test(text ?? "")) === (operator === "~");
  const isOne = values.some(({ text: value, isAny }) => {
    const wanted = value.toLowerCase();
    if (isAny) return text !== undefined && text !== "";
    if (operator === "==" || operator === "in" || operator === "not in") return text === wanted;
    return wanted === "" ? text === "" || text === undefined : text?.includes(wanted) === true;
  });
  return operator === "!=" || operator === "not in" ? !isOne : isOne;
}

/** The question of a field of the resource itself; undefined: its kind has none. */
function askOf({ asked }: Filter, kind: string, tree: Comparison): Ask | undefined {
  const known = asked.get(kind) ?? new Map<Comparison, Ask | undefined>();
  asked.set(kind, known);
  if (!known.has(tree)) known.set(tree, makeAsk(kind, tree));
  return known.get(tree);
}

function makeAsk(kind: string, tree: Comparison): Ask | undefined {
  const type = findKindBySingular(kind)?.type;
  if (type === undefined) return undefined;
  const now: { context: CellContext | undefined } = { context: undefined };
  const facts: Facts = {
    ...noFacts,
    nowMs: () => now.context?.fleet.hubTimeMs(now.context.nowMs) ?? Date.now(),
    links: (name) => (now.context === undefined ? [] : linksAt(now.context, name)),
    // Of what the hub has told of, which was asked for what passes: see figuresAsked.
    figure: (name, figure) => now.context?.fleet.usage.rankOf(name, figure),
  };
  try {
    const bind = (field: QueryField) => (resource: unknown) => field.read(resource, facts);
    const passes = compileQuery<unknown>(tree, { where: "filter", type, words: "text", bind });
    return (row, context) => {
      now.context = context;
      return passes(row.resource);
    };
  } catch (error) {
    if (error instanceof QueryError) return undefined;
    throw error;
  }
}

/** Links by all that their ends are parts of, as of a version of the links. */
const linkEnds = new WeakMap<FleetView, { readonly version: number; readonly links: ReadonlyMap<string, Set<Link>> }>();

/** The links that end at something: all are looked at once as long as none changes, not once for each row. */
function linksAt({ fleet }: CellContext, name: string): Iterable<Link> {
  const version = fleet.versionOf("link");
  let known = linkEnds.get(fleet);
  if (known?.version !== version) {
    known = { version, links: linksByEnd(fleet) };
    linkEnds.set(fleet, known);
  }
  return known.links.get(name) ?? [];
}

function linksByEnd(fleet: FleetView): ReadonlyMap<string, Set<Link>> {
  const found = new Map<string, Set<Link>>();
  for (const { resource } of fleet.rowsOf("link")) {
    // Rows of that kind are links.
    const link = resource as Link;
    for (const name of filedNamesOf(link)) {
      const links = found.get(name) ?? new Set();
      found.set(name, links.add(link));
    }
  }
  return found;
}

/**
 * What is wrong with a filter for a kind: a field that is neither a column nor one of the resource nor a label that anything has, but nearly one; a
 * value that it cannot have; what only the hub knows. Undefined: nothing.
 */
export function faultOf(
  filter: Filter,
  kind: string,
  columns: readonly Column[],
  rows: Iterable<Row>,
): QueryError | undefined {
  const type = findKindBySingular(kind)?.type;
  if (type === undefined) return undefined;
  const keys = new Set<string>();
  const turned = new Set(turnedRound(filter.query.tree));
  for (const tree of comparisonsOf(filter.query.tree)) {
    const word = tree.path.join(".").toLowerCase();
    const isOrdered = ["<", "<=", ">", ">="].includes(tree.operator);
    const isColumn = columns.some(({ id, searched: text }) => id === word && text !== undefined);
    if (isColumn && !isOrdered) continue;
    const fault = faultIn(tree, type, turned.has(tree));
    if (fault === undefined) continue;
    if (!isOrdered && tree.path.length === 1 && keys.size === 0) {
      for (const row of rows) for (const key of Object.keys(labelsOf(row))) keys.add(key.toLowerCase());
    }
    const isLabel = keys.has(word.replace(/^labels?\./, ""));
    // What is like nothing may be a label that nothing has yet.
    if (!isLabel && (isOrdered || !/ is not a field/.test(fault.message) || fault.message.includes("did you mean")))
      return fault;
  }
  return undefined;
}

function faultIn(tree: Comparison, type: string, isTurned: boolean): QueryError | undefined {
  if (isTurned && figureOf(tree, type) !== undefined) {
    const word = tree.path.join(".");
    // What passes is what was told of, and of the rest nothing is known.
    return new QueryError("filter", `${word} is measured: say what it is, not what it is not`, tree.place);
  }
  return fieldFault(tree, type);
}

/** What is wrong with a comparison as one of a field of the resource, and not of a label by its name alone; undefined: nothing. */
export function fieldFault(tree: Comparison, type: string): QueryError | undefined {
  try {
    compileQuery<unknown>(tree, { where: "filter", type, words: "text", bind: () => () => undefined });
    return undefined;
  } catch (error) {
    if (error instanceof QueryError) return error;
    throw error;
  }
}

/** What a filter asks for that only the hub knows of all rows; each once. */
export function figuresAsked({ query: { tree } }: Filter, kind: string): readonly Figure[] {
  const type = findKindBySingular(kind)?.type;
  return type === undefined ? [] : [...new Set(comparisonsOf(tree).flatMap((each) => figureOf(each, type) ?? []))];
}

function figureOf({ path }: Comparison, type: string): Figure | undefined {
  try {
    return findQueryField("filter", type, path).figure;
  } catch {
    return undefined;
  }
}

/** The comparisons of which the opposite is asked. */
function turnedRound(tree: QueryTree): readonly Comparison[] {
  if (tree.type === "not") return comparisonsOf(tree.term);
  if (tree.type === "comparison") return /^(?:!|not )/.test(tree.operator) ? [tree] : [];
  return tree.type === "all" || tree.type === "any" ? tree.terms.flatMap(turnedRound) : [];
}

function comparisonsOf(tree: QueryTree): readonly Comparison[] {
  if (tree.type === "comparison") return [tree];
  if (tree.type === "not") return comparisonsOf(tree.term);
  return tree.type === "all" || tree.type === "any" ? tree.terms.flatMap(comparisonsOf) : [];
}

function findLabel(row: Row, field: string): string | undefined {
  const key = field.replace(/^labels?\./, "");
  for (const [name, value] of Object.entries(labelsOf(row))) {
    if (name.toLowerCase() === key) return value.toLowerCase();
  }
  return undefined;
}

function searched(column: Column, row: Row, context: CellContext): string {
  return column.searched?.(row, context).toLowerCase() ?? "";
}
