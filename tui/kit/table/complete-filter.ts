import { findKindBySingular } from "../../../lib/kinds/kinds.js";
import { completeQuery, type QueryCompletion } from "../../../lib/query/complete.js";
import { noFacts } from "../../../lib/query/facts.js";
import { parsePath } from "../../../lib/query/path.js";
import { findQueryField } from "../../../lib/query/query-field.js";
import type { CellContext } from "../fleet/fleet-view.js";
import type { TuiKind } from "../kind.js";
import { labelsOf, type Row } from "../row.js";
import type { Column } from "./column.js";

/** So many rows are looked at for values, and for so long at most, in milliseconds; so many values are kept. */
const [mostRows, mostMs, mostValues] = [2000, 20, 500];

/** What completes the filter that is typed into a table; undefined for tables of what is no kind of resource. Values are those of the fleet when they are first asked for. */
export function filterCompleter(kind: TuiKind, context: CellContext): ((text: string) => QueryCompletion) | undefined {
  const type = findKindBySingular(kind.kind)?.type;
  if (type === undefined) return undefined;
  const columns = kind.columns.filter(({ searched }) => searched !== undefined);
  const words = columns.map(({ id }) => id);
  const schema = { kinds: [kind.kind], words, sorted: kind.columns.map(({ id }) => id) };
  const known = new Map<string, readonly string[]>();
  const values = (field: string): readonly string[] => {
    const before = known.get(field);
    if (before !== undefined) return before;
    const found = valuesIn(context, kind.kind, readerOf(field, { type, columns, context }));
    known.set(field, found);
    return found;
  };
  // Every frame asks for the same again.
  let last: { readonly text: string; readonly found: QueryCompletion } | undefined;
  return (text) => {
    if (last?.text !== text) last = { text, found: completeQuery(text, text.length, schema, values) };
    return last.found;
  };
}

type Read = (row: Row) => readonly unknown[];

interface Sources {
  readonly type: string;
  readonly columns: readonly Column[];
  readonly context: CellContext;
}

function readerOf(field: string, { type, columns, context }: Sources): Read {
  if (field === "labels") return (row) => Object.keys(labelsOf(row));
  if (field === "name") return (row) => [row.id];
  const column = columns.find(({ id }) => id === field);
  if (column !== undefined) return (row) => [column.searched?.(row, context)];
  try {
    const found = findQueryField("filter", type, parsePath("filter", field));
    return ({ resource }) => [found.read(resource, noFacts)].flat();
  } catch {
    const key = field.replace(/^labels?\./, "");
    return (row) => [labelsOf(row)[key]];
  }
}

function valuesIn({ fleet }: CellContext, kind: string, read: Read): readonly string[] {
  const found = new Set<string>();
  const untilMs = performance.now() + mostMs;
  let seen = 0;
  for (const row of fleet.rowsOf(kind)) {
    for (const value of read(row))
      if (typeof value === "string" && value !== "" && value.length <= 100) found.add(value);
    seen += 1;
    if (seen >= mostRows || found.size >= mostValues || (seen % 64 === 0 && performance.now() > untilMs)) break;
  }
  return [...found].sort();
}
