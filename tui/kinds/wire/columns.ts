import type { Wire, WireEnd } from "../../../proto/gen/zor/v1/wire.js";
import { inForce } from "../../kit/describe/impairment-lines.js";
import { shortName } from "../../kit/resource-name.js";
import type { Row } from "../../kit/row.js";
import type { Column } from "../../kit/table/column.js";
import {
  ageColumn,
  hostColumn,
  labelColumn,
  nameColumn,
  reasonColumn,
  stateColumn,
  wideColumn,
} from "../../kit/table/columns.js";
import { impairmentColumn } from "../../kit/table/impairment-column.js";
import { wireStyle } from "./states.js";

type WireRow = Row<Wire>;

const styleOf = ({ resource }: WireRow) => wireStyle(resource.status?.state ?? 0);

/** "r1/eth1": the host of a wire is said beside it. */
export function endText(nic: string | undefined): string {
  if (nic === undefined || nic === "") return "-";
  const short = shortName(nic);
  return short.slice(short.indexOf("/") + 1);
}

function endColumn(
  id: string,
  title: string,
  end: (row: WireRow) => readonly [string | undefined, WireEnd | undefined],
): Column<WireRow> {
  const textOf = (row: WireRow): string => endText(end(row)[0]);
  return {
    id,
    title,
    importance: 9,
    min: 8,
    max: 40,
    cell: (row) => ({ text: textOf(row), tone: end(row)[1]?.carrier === true ? "plain" : "dim" }),
    searched: textOf,
  };
}

/** The table of wires; an end without carrier is dim. */
export const wireColumns: readonly Column<WireRow>[] = [
  nameColumn(),
  hostColumn(),
  stateColumn(8, styleOf),
  endColumn("a", "A", ({ resource: { spec, status } }) => [spec?.a, status?.endA]),
  endColumn("b", "B", ({ resource: { spec, status } }) => [spec?.b, status?.endB]),
  impairmentColumn({ id: "atob", title: "A→B", importance: 6 }, ({ resource }: WireRow) => inForce(resource, "aToB")),
  impairmentColumn({ id: "btoa", title: "B→A", importance: 6 }, ({ resource }: WireRow) => inForce(resource, "bToA")),
  ageColumn({ id: "since", title: "FOR", importance: 5 }, ({ resource }: WireRow) => resource.status?.sinceTime),
  ageColumn(
    { id: "age", title: "AGE", importance: 2, sortLetter: "A" },
    ({ resource }: WireRow) => resource.createTime,
  ),
  labelColumn(),
  reasonColumn(7, styleOf, ({ resource }: WireRow) => resource.status?.reason ?? ""),
];

/** Only for where there is room without end. */
export const wireWideColumns: readonly Column<WireRow>[] = [
  wideColumn("mtu", "MTU", ({ resource }: WireRow) => String(resource.spec?.mtu ?? "")),
];
