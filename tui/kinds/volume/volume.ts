import type { Volume } from "../../../proto/gen/zor/v1/volume.js";
import { field, heading, text } from "../../kit/describe/line.js";
import { formatBytes } from "../../kit/format.js";
import type { TuiKind } from "../../kit/kind.js";
import { shortName } from "../../kit/resource-name.js";
import { ageText, labelText, stateCell } from "../../kit/table/columns.js";
import { volumeActions } from "./actions.js";
import { volumeColumns } from "./columns.js";
import { volumeStyle } from "./states.js";

const bytesPerMib = 1024n * 1024n;

/** Disks that stay when the machines that have them are deleted. */
export const volumeKind: TuiKind<Volume> = {
  kind: "volume",
  columns: volumeColumns,
  sortBy: "name",
  empty: "no volumes here; make one with: zor create volume HOST/NAME --size 10G",
  counted: { short: "vols", rank: 3 },
  actions: volumeActions,
  stateAt: ["status", "state"],
  styleOf: volumeStyle,
  describe: (row, context) => {
    const { spec, status, labels, uid, createTime } = row.resource;
    const usedBy = status?.usedBy ?? [];
    return [
      field("state", stateCell(row, volumeStyle(status?.state ?? 0), context)),
      field("reason", { text: status?.reason ?? "", tone: "bad" }),
      field("host", row.host),
      field("description", spec?.description),
      field("pool", spec?.pool),
      field("size", formatBytes((spec?.sizeMib ?? 0n) * bytesPerMib)),
      field("takes", formatBytes(status?.allocatedBytes ?? 0n)),
      field("format", spec?.format),
      field("began as", spec?.image),
      field("labels", labelText(labels)),
      field("created", `${ageText(createTime, context)} ago`),
      field("uid", uid),
      heading(`Used by (${usedBy.length})`),
      ...usedBy.map(({ instance, disk, running, readOnly }) =>
        field(shortName(instance), `${disk}${readOnly ? ", read only" : ""}${running ? ", running" : ""}`),
      ),
      ...(usedBy.length === 0 ? [text("no instance has it", "dim")] : []),
    ];
  },
  commands: async () => (await import("./flags.js")).volumeCommands,
};
