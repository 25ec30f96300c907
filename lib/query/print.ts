import { pathText } from "./path.js";
import type { Query, QueryTree, QueryValue, SortField } from "./tree.js";

const plainValue = /^(?!')[^\s"()=<>:!,~]+$/;
const keywords = new Set(["and", "or", "not", "in", "has", "sort", "limit", "asc", "desc", "by"]);

/** A query as text, in one form for all ways to write it. What is read from it is the same query. */
export function printQuery({ tree, sort, limit }: Query): string {
  const parts = [
    printTree(tree),
    sort.length === 0 ? "" : `sort by ${printSort(sort)}`,
    limit === undefined ? "" : `limit ${limit}`,
  ];
  return parts.filter((part) => part !== "").join(" ");
}

/** What is sorted by, as text. */
export function printSort(sort: readonly SortField[]): string {
  return sort.map(({ path, descending }) => `${printPath(pathText(path))}${descending ? " desc" : ""}`).join(", ");
}

/** A filter as text. */
export function printTree(tree: QueryTree): string {
  switch (tree.type) {
    case "all":
    case "any":
      return tree.terms.map((term) => inner(term, tree.type)).join(tree.type === "all" ? " and " : " or ");
    case "not":
      return `not ${inner(tree.term, "not")}`;
    case "word":
      return printText(tree.value);
    case "fuzzy":
      return `~${printText(tree.value)}`;
    case "comparison": {
      const { path, operator, values } = tree;
      const list = values.map(printValue).join(", ");
      const right = operator === "in" || operator === "not in" ? `(${list})` : list;
      return `${printPath(pathText(path))} ${operator} ${right}`;
    }
  }
}

/** A term within another, in parentheses where it needs them. */
function inner(tree: QueryTree, outer: "all" | "any" | "not"): string {
  const text = printTree(tree);
  if (tree.type !== "all" && tree.type !== "any") return text;
  return outer === "any" && tree.type === "all" ? text : `(${text})`;
}

/** The beginning of a path must not be taken for something else. */
function printPath(text: string): string {
  return /^["']/.test(text) || keywords.has(text.toLowerCase()) ? JSON.stringify(text) : text;
}

function printText(text: string): string {
  return plainValue.test(text) && !keywords.has(text.toLowerCase()) ? text : JSON.stringify(text);
}

function printValue({ text, isAny }: QueryValue): string {
  if (isAny) return "*";
  return text !== "*" && plainValue.test(text) ? text : JSON.stringify(text);
}
