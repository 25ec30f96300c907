import type { Image } from "../../../proto/gen/zor/v1/image.js";
import { shortName } from "../../kit/resource-name.js";
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
  wideColumn,
} from "../../kit/table/columns.js";
import { imageStyle } from "./states.js";

type ImageRow = Row<Image>;

const styleOf = (row: ImageRow) => imageStyle(row.resource.status?.state ?? 0);
const users = (row: ImageRow): readonly string[] => row.resource.status?.usedBy ?? [];

/** Tags as one text. */
export function tagText({ spec }: Image): string {
  return (spec?.tags ?? []).join(" ");
}

/** The table of images. */
export const imageColumns: readonly Column<ImageRow>[] = [
  nameColumn(),
  hostColumn(),
  stateColumn(10, styleOf),
  textColumn({ id: "format", title: "FORMAT", importance: 9, min: 6, max: 9 }, ({ status }) => status?.format ?? ""),
  countColumn<ImageRow>(
    { id: "size", title: "SIZE", importance: 8, sortLetter: "B", base: 1024 },
    (row) => row.resource.status?.sizeBytes ?? 0n,
  ),
  countColumn<ImageRow>({ id: "used", title: "USED", importance: 8, sortLetter: "U" }, (row) => users(row).length),
  textColumn({ id: "tags", title: "TAGS", importance: 5, min: 4, max: 24 }, tagText),
  textColumn({ id: "origin", title: "ORIGIN", importance: 4, min: 8, max: 32 }, ({ status }) => status?.origin ?? ""),
  textColumn({ id: "digest", title: "DIGEST", importance: 3, min: 12, max: 12 }, ({ status }) =>
    (status?.digest ?? "").slice("sha256:".length, "sha256:".length + 12),
  ),
  ageColumn({ id: "age", title: "AGE", importance: 3, sortLetter: "A" }, (row: ImageRow) => row.resource.createTime),
  labelColumn(),
  reasonColumn(7, styleOf, (row: ImageRow) => row.resource.status?.reason ?? ""),
];

/** Only for where there is room without end. */
export const imageWideColumns: readonly Column<ImageRow>[] = [
  wideColumn("usedBy", "USED BY", (row: ImageRow) => users(row).map(shortName).join(",")),
];
