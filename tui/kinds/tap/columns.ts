import type { Tap } from "../../../proto/gen/zor/v1/tap.js";
import type { Row } from "../../kit/row.js";
import type { Column } from "../../kit/table/column.js";
import {
  ageColumn,
  hostColumn,
  labelColumn,
  nameColumn,
  reasonColumn,
  stateColumn,
  textColumn,
} from "../../kit/table/columns.js";
import { tapStyle } from "./states.js";

type TapRow = Row<Tap>;

const styleOf = ({ resource }: TapRow) => tapStyle(resource.status?.state ?? 0);

/** The table of taps. */
export const tapColumns: readonly Column<TapRow>[] = [
  nameColumn(),
  hostColumn(),
  stateColumn(8, styleOf),
  textColumn({ id: "lan", title: "LAN", importance: 9, min: 5, max: 20 }, ({ spec }: Tap) => spec?.lan || "-"),
  textColumn(
    { id: "device", title: "INTERFACE", importance: 9, min: 9, max: 15 },
    ({ spec }: Tap) => spec?.device ?? "",
  ),
  textColumn({ id: "netns", title: "NETNS", importance: 7, min: 5, max: 20 }, ({ spec }: Tap) => spec?.netns || "-"),
  textColumn(
    { id: "addresses", title: "ADDRESSES", importance: 8, min: 10, max: 40 },
    ({ spec }: Tap) => spec?.addresses.join(",") || "-",
  ),
  ageColumn({ id: "age", title: "AGE", importance: 3, sortLetter: "A" }, ({ resource }: TapRow) => resource.createTime),
  labelColumn(),
  reasonColumn(7, styleOf, ({ resource }: TapRow) => resource.status?.reason ?? ""),
];
