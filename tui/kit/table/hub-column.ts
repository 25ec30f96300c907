import type { TuiKind } from "../kind.js";
import { hubOf } from "../hubs.js";
import type { Column } from "./column.js";

/** At which of several hubs in one view something is. */
const hubColumn: Column = {
  id: "hub",
  title: "HUB",
  importance: 6,
  min: 4,
  max: 16,
  cut: "middle",
  cell: (row) => ({ text: hubOf(row.name) }),
  searched: (row) => hubOf(row.name),
};

const known = new WeakMap<TuiKind, TuiKind>();

/** A kind as it is shown of several hubs: behind its first column stands the hub. The same for the same kind. */
export function withHubColumn(kind: TuiKind): TuiKind {
  const [first, ...others] = kind.columns;
  if (first === undefined || kind.columns.some(({ id }) => id === hubColumn.id)) return kind;
  const made = known.get(kind) ?? { ...kind, columns: [first, hubColumn, ...others] };
  known.set(kind, made);
  return made;
}
