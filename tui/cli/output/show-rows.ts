import { toMs } from "../../../lib/duration.js";
import type { Kind } from "../../../lib/kinds/kinds.js";
import type { AnyResource } from "../../../lib/kinds/resource.js";
import type { Unreachable } from "../../../proto/gen/zor/v1/unreachable.js";
import { formatAge } from "../../kit/format.js";
import { hostOf, shortName } from "../../kit/resource-name.js";
import { toRow } from "../../kit/row.js";
import { escapeText } from "../../kit/text/escape.js";
import type { Used } from "../../kit/usage/usage.js";
import { emptyFleet } from "../fleet.js";
import { columnsOf, type TableRow } from "./columns.js";
import { csvLine } from "./csv.js";
import { type ColumnMaker, type ListForm, shownColumns } from "./list-form.js";
import { type Column, Table, type TableOptions } from "./table.js";

/** Age of what is known of each host that is not heard, by host id: "14s" or "never". */
export type StaleHosts = ReadonlyMap<string, string>;

/** The ages in a list response's `unreachable`. */
export function staleHosts(unreachable: readonly Unreachable[]): StaleHosts {
  return new Map(
    unreachable.map(({ name, lastSeenAge }) => [
      shortName(name),
      lastSeenAge === undefined ? "never" : formatAge(toMs(lastSeenAge)),
    ]),
  );
}

/** What rows of resources are made with. */
export interface RowOptions {
  readonly labelColumns: readonly string[];
  readonly stale: StaleHosts;
  /** Columns of fields, made of paths; undefined: there are only those of the kind. */
  readonly make?: ColumnMaker<TableRow> | undefined;
  /** What they use, by name. Default: nothing is known of that. */
  readonly usage?: ReadonlyMap<string, Used>;
}

/** Resources of one kind as rows, and the columns there are of them. */
export interface ResourceRows {
  readonly columns: readonly Column<TableRow>[];
  readonly rows: readonly TableRow[];
}

/** Makes rows of resources of one kind. */
export function resourceRows(resources: readonly AnyResource[], kind: Kind, options: RowOptions): ResourceRows {
  const nowMs = Date.now();
  const fleet = emptyFleet(nowMs);
  if (options.usage !== undefined) fleet.usage.rank(options.usage);
  const rows = resources.map(({ kind: of, value }): TableRow => {
    const staleSince = options.stale.get(hostOf(value.name) ?? "");
    return { row: toRow(of, value.name, value, nowMs), nowMs, staleSince, fleet };
  });
  const anyStale = rows.some(({ staleSince }) => staleSince !== undefined);
  const { labelColumns } = options;
  return { rows, columns: columnsOf(kind, { labelColumns, anyStale, fleet }) };
}

/** Makes the columns of paths of a kind; what reads them takes time to load. */
export async function fieldColumns(
  kind: Kind,
  { columns, sortBy }: Omit<ListForm, "output">,
): Promise<ColumnMaker<TableRow> | undefined> {
  if (columns === undefined && sortBy === undefined) return undefined;
  const { fieldColumn } = await import("./field-column.js");
  return (path) => fieldColumn(kind, columns?.includes(path) === true ? "--columns" : "--sort-by", path);
}

/** A table of resources of one kind that can be continued row by row. */
export interface ResourceTable {
  header(): string;
  /** Whether the layout is wide enough for a resource. */
  fits(resource: AnyResource): boolean;
  row(resource: AnyResource): string;
}

/** Lays a table of one kind out for the resources at hand, or lines of CSV. */
export function resourceTable(
  resources: readonly AnyResource[],
  kind: Kind,
  options: RowOptions & TableOptions & { readonly form: ListForm },
): ResourceTable {
  const { columns, rows } = resourceRows(resources, kind, options);
  // Rows that follow changes tell what stands in resources.
  const shown = shownColumns(columns, options.form, options.make).filter(({ figure }) => figure === undefined);
  const rowOf = (resource: AnyResource): TableRow | undefined => resourceRows([resource], kind, options).rows[0];
  if (options.form.output === "csv") {
    const cells = (row: TableRow | undefined) => (row === undefined ? [] : shown.map((column) => column.value(row)));
    return {
      header: () => csvLine(shown.map(({ title }) => title)),
      fits: () => true,
      row: (resource) => csvLine(cells(rowOf(resource))),
    };
  }
  const table = new Table(shown, rows, options);
  const withRow = <R>(resource: AnyResource, use: (row: TableRow) => R, none: R): R => {
    const row = rowOf(resource);
    return row === undefined ? none : use(row);
  };
  return {
    header: () => table.header(),
    fits: (resource) => withRow(resource, (row) => table.fits(row), true),
    row: (resource) => withRow(resource, (row) => table.row(row), ""),
  };
}

/** One line about each host that a list could not ask, for stderr. */
export function unreachableNotes(unreachable: readonly Unreachable[]): string[] {
  return unreachable.map(({ name, reason, lastSeenAge }) => {
    const why = reason === "" ? "" : `: ${reason}`;
    if (lastSeenAge === undefined) return escapeText(`host ${shortName(name)} has not been heard${why}`);
    const age = formatAge(toMs(lastSeenAge));
    return escapeText(
      `host ${shortName(name)} is unreachable, last seen ${age} ago${why}; what is shown of it may be old`,
    );
  });
}
