import type { Image } from "../../../proto/gen/zor/v1/image.js";
import { type DescribeLine, field, heading, text } from "../../kit/describe/line.js";
import type { CellContext } from "../../kit/fleet/fleet-view.js";
import { formatBytes } from "../../kit/format.js";
import { shortName } from "../../kit/resource-name.js";
import type { Row } from "../../kit/row.js";
import { ageText, labelText, stateCell } from "../../kit/table/columns.js";
import { tagText } from "./columns.js";
import { imageStyle } from "./states.js";

/** What is known of an image. */
export function describeImage(row: Row<Image>, context: CellContext): readonly DescribeLine[] {
  const { spec, status, labels, uid, createTime } = row.resource;
  const usedBy = status?.usedBy ?? [];
  const verified = status?.verifyTime;
  const disk = status?.virtualSizeBytes ?? 0n;
  return [
    field("state", stateCell(row, imageStyle(status?.state ?? 0), context)),
    field("reason", { text: status?.reason ?? "", tone: "bad" }),
    field("host", row.host),
    field("description", spec?.description),
    field("tags", tagText(row.resource)),
    field("format", status?.format),
    field("architecture", status?.architecture),
    field("size", formatBytes(status?.sizeBytes ?? 0n)),
    field("disk size", disk === 0n ? "" : formatBytes(disk)),
    field("digest", status?.digest),
    field("origin", status?.origin),
    field("needs", shortName(status?.base ?? "")),
    field("verified", verified === undefined ? "never since it was stored" : `${ageText(verified, context)} ago`),
    field("labels", labelText(labels)),
    field("created", `${ageText(createTime, context)} ago`),
    field("uid", uid),
    heading(`Used by (${usedBy.length})`),
    ...usedBy.map((name) => text(shortName(name))),
    ...(usedBy.length === 0 ? [text("nothing uses it", "dim")] : []),
  ];
}
