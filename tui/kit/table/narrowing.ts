import { findKindBySingular } from "../../../lib/kinds/kinds.js";
import { pathText } from "../../../lib/query/path.js";
import { printTree } from "../../../lib/query/print.js";
import type { Comparison, QueryTree } from "../../../lib/query/tree.js";
import { literal } from "../usage/ranking.js";
import type { Column } from "./column.js";
import { type Filter, fieldFault } from "./filter.js";

/** Longer ones are not asked. */
const longest = 2000;

/** Columns that filters look in for a part of a text, and the fields that hold all such texts. */
const fieldsOfColumns: Readonly<Record<string, string>> = {
  name: "id",
  host: "host",
  state: "state",
  lans: "lan",
  address: "ip",
};

/**
 * A query, for the hub, that everything passes that passes a filter of a table, and as little else as can be said: the hub finds with it what comes
 * first in an order that only it knows, and the filter itself has the last word. "": everything may pass.
 */
export function narrowed(kind: string, columns: readonly Column[], { query: { tree } }: Filter): string {
  const type = findKindBySingular(kind)?.type;
  const text = type === undefined ? undefined : wider(tree, { kind, type, columns });
  // Names of several hubs in one view are known to none of them.
  return text === undefined || text.length > longest || text.includes("@") ? "" : text;
}

interface Table {
  readonly kind: string;
  readonly type: string;
  readonly columns: readonly Column[];
}

/** Undefined: it says nothing that the hub understands in the same way. */
function wider(tree: QueryTree, table: Table): string | undefined {
  switch (tree.type) {
    case "all": {
      const terms = tree.terms.flatMap((term) => wider(term, table) ?? []);
      return terms.length === 0 ? undefined : joined(terms, "and");
    }
    case "any": {
      const terms = tree.terms.map((term) => wider(term, table));
      return terms.every((term) => term !== undefined) ? joined(terms, "or") : undefined;
    }
    case "word":
      // What an instance is run by is no text of it.
      return table.kind === "instance"
        ? `(${printTree(tree)} or driver : ${JSON.stringify(tree.value)})`
        : printTree(tree);
    case "comparison":
      return comparison(tree, table);
    default:
      return undefined;
  }
}

function joined(terms: readonly string[], word: "and" | "or"): string {
  return terms.length === 1 ? (terms[0] ?? "") : `(${terms.join(` ${word} `)})`;
}

function comparison(tree: Comparison, { type, columns }: Table): string | undefined {
  const { path, operator, values } = tree;
  const word = pathText(path);
  const isOrdered = ["<", "<=", ">", ">="].includes(operator);
  const isColumn = columns.some(({ id, searched }) => id === word.toLowerCase() && searched !== undefined);
  if (!isColumn || isOrdered) return fieldFault(tree, type) === undefined ? printTree(tree) : undefined;
  const field = Object.hasOwn(fieldsOfColumns, word.toLowerCase()) ? fieldsOfColumns[word.toLowerCase()] : undefined;
  const isPart = ["=", "==", ":", "has", "in"].includes(operator);
  if (field === undefined || !isPart || values.some(({ text, isAny }) => isAny || text === "")) return undefined;
  // What is unreachable is known of the host alone.
  if (field === "state" && values.some(({ text }) => "unreachable".includes(text.toLowerCase()))) return undefined;
  const parts = values.map(({ text }) => `${field} ~ ${JSON.stringify(literal(text))}`);
  return joined(parts, "or");
}
