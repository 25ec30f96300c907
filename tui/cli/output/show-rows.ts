import { toMs } from "../../../lib/duration.js";
import { understandsEscapes } from "../../../lib/terminal.js";
import type { Kind } from "../../../lib/kinds/kinds.js";
import type { AnyResource } from "../../../lib/kinds/resource.js";
import type { Unreachable } from "../../../proto/gen/zor/v1/unreachable.js";
import { escapeText } from "../../kit/text/escape.js";
import { formatAge } from "../../kit/format.js";
import { hostOf, shortName } from "../../kit/resource-name.js";
import type { CliIo } from "../session.js";
import { toRow } from "../../kit/row.js";
import { emptyFleet } from "../fleet.js";
import { columnsOf, type TableRow } from "./columns.js";
import { Table, type TableOptions } from "./table.js";

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

/** How tables look on this terminal: as wide as it is unless it is a pipe or output is wide; NO_COLOR is honoured. */
export function tableOptions({ terminal: { output }, env }: CliIo, wide: boolean): TableOptions {
  const isTerminal = output.isTTY === true;
  return {
    width: isTerminal && !wide ? (output.columns ?? 80) : undefined,
    color: isTerminal && !env["NO_COLOR"] && understandsEscapes(env),
  };
}

/** A table of resources of one kind that can be continued row by row. */
export interface ResourceTable {
  header(): string;
  /** Whether the layout is wide enough for a resource. */
  fits(resource: AnyResource): boolean;
  row(resource: AnyResource): string;
}

/** Lays a table of one kind out for the resources at hand. */
export function resourceTable(
  resources: readonly AnyResource[],
  kind: Kind,
  options: TableOptions & {
    readonly wide: boolean;
    readonly labelColumns: readonly string[];
    readonly stale: StaleHosts;
    readonly now: () => Date;
  },
): ResourceTable {
  const staleSince = ({ value }: AnyResource): string | undefined => options.stale.get(hostOf(value.name) ?? "");
  const rowOf = (resource: AnyResource): TableRow => {
    const nowMs = options.now().getTime();
    const { value } = resource;
    return { row: toRow(resource.kind, value.name, value, nowMs), nowMs, staleSince: staleSince(resource) };
  };
  const anyStale = resources.some((resource) => staleSince(resource) !== undefined);
  const { wide, labelColumns } = options;
  const columns = columnsOf(kind, { wide, labelColumns, anyStale, fleet: emptyFleet(options.now().getTime()) });
  const table = new Table(columns, resources.map(rowOf), options);
  return {
    header: () => table.header(),
    fits: (resource) => table.fits(rowOf(resource)),
    row: (resource) => table.row(rowOf(resource)),
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
