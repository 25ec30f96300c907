import type { Pool } from "../../../proto/gen/zor/v1/pool.js";
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
import { poolStyle } from "./states.js";

type PoolRow = Row<Pool>;

const styleOf = ({ resource }: PoolRow) => poolStyle(resource.status?.state ?? 0);

/** Words for what pools are made of. */
const storage = {
  directory: "directory",
  lvmThin: "lvm-thin",
  nfs: "nfs",
  rbd: "rbd",
  iscsi: "iscsi",
  gluster: "gluster",
} as const;

/** What a pool is made of, in a word. */
export function storageOf({ spec }: Pool): string {
  return spec?.backend === undefined ? "" : storage[spec.backend.$case];
}

/** The table of pools. */
export const poolColumns: readonly Column<PoolRow>[] = [
  nameColumn(),
  hostColumn(),
  stateColumn(10, styleOf),
  textColumn({ id: "storage", title: "STORAGE", importance: 9, min: 8, max: 9 }, storageOf),
  countColumn<PoolRow>(
    { id: "volumes", title: "VOLUMES", importance: 8, sortLetter: "V" },
    ({ resource }) => resource.status?.volumeCount ?? 0,
  ),
  countColumn<PoolRow>(
    { id: "size", title: "SIZE", importance: 8, base: 1024 },
    ({ resource }) => resource.status?.capacityBytes ?? 0n,
  ),
  countColumn<PoolRow>(
    { id: "free", title: "FREE", importance: 9, sortLetter: "F", base: 1024 },
    ({ resource }) => resource.status?.freeBytes ?? 0n,
  ),
  countColumn<PoolRow>(
    { id: "promised", title: "PROMISED", importance: 6, base: 1024 },
    ({ resource }) => resource.status?.promisedBytes ?? 0n,
  ),
  ageColumn(
    { id: "age", title: "AGE", importance: 3, sortLetter: "A" },
    ({ resource }: PoolRow) => resource.createTime,
  ),
  labelColumn(),
  reasonColumn(7, styleOf, ({ resource }: PoolRow) => resource.status?.reason ?? ""),
];
