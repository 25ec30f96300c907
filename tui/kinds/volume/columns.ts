import type { Volume } from "../../../proto/gen/zor/v1/volume.js";
import { idOf } from "../../kit/resource-name.js";
import type { Row } from "../../kit/row.js";
import type { Column } from "../../kit/table/column.js";
import {
  ageColumn,
  countColumn,
  hostColumn,
  labelColumn,
  nameColumn,
  reasonColumn,
  stateColumn,
  textColumn,
} from "../../kit/table/columns.js";
import { volumeStyle } from "./states.js";

type VolumeRow = Row<Volume>;

const bytesPerMib = 1024n * 1024n;
const styleOf = ({ resource }: VolumeRow) => volumeStyle(resource.status?.state ?? 0);

/** Which instances have it: "vm1 disk1". */
function usersText({ status }: Volume): string {
  return (status?.usedBy ?? []).map(({ instance, disk }) => `${idOf(instance)} ${disk}`).join(", ");
}

/** The table of volumes. */
export const volumeColumns: readonly Column<VolumeRow>[] = [
  nameColumn(),
  hostColumn(),
  stateColumn(10, styleOf),
  textColumn({ id: "pool", title: "POOL", importance: 9, min: 7, max: 24 }, ({ spec }) => spec?.pool ?? ""),
  countColumn<VolumeRow>(
    { id: "size", title: "SIZE", importance: 9, sortLetter: "B", base: 1024 },
    ({ resource }) => (resource.spec?.sizeMib ?? 0n) * bytesPerMib,
  ),
  countColumn<VolumeRow>(
    { id: "takes", title: "TAKES", importance: 6, base: 1024 },
    ({ resource }) => resource.status?.allocatedBytes ?? 0n,
  ),
  textColumn({ id: "used", title: "USED BY", importance: 9, min: 8, max: 32 }, usersText),
  textColumn({ id: "format", title: "FORMAT", importance: 4, min: 6, max: 6 }, ({ spec }) => spec?.format ?? ""),
  ageColumn(
    { id: "age", title: "AGE", importance: 3, sortLetter: "A" },
    ({ resource }: VolumeRow) => resource.createTime,
  ),
  labelColumn(),
  reasonColumn(7, styleOf, ({ resource }: VolumeRow) => resource.status?.reason ?? ""),
];
