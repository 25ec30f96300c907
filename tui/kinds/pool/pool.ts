import type { Pool } from "../../../proto/gen/zor/v1/pool.js";
import { field } from "../../kit/describe/line.js";
import { formatBytes } from "../../kit/format.js";
import type { TuiKind } from "../../kit/kind.js";
import { ageText, labelText, stateCell } from "../../kit/table/columns.js";
import { troubleOfState } from "../../kit/trouble/find-trouble.js";
import type { Trouble } from "../../kit/trouble/trouble.js";
import { poolActions } from "./actions.js";
import { poolColumns, storageOf } from "./columns.js";
import { poolStyle } from "./states.js";
import { poolForm } from "./form.js";

/** Storage that volumes are made in. */
export const poolKind: TuiKind<Pool> = {
  kind: "pool",
  form: poolForm,
  columns: poolColumns,
  sortBy: "name",
  empty: "no pools here; make storage known with: zor create pool",
  counted: { short: "pools", rank: 3 },
  actions: poolActions,
  stateAt: ["status", "state"],
  styleOf: poolStyle,
  troubleOf: (row, context) => troubleOfState(poolKind, row, context) ?? shortage(row.resource),
  describe: (row, context) => {
    const { spec, status, labels, uid, createTime } = row.resource;
    return [
      field("state", stateCell(row, poolStyle(status?.state ?? 0), context)),
      field("reason", { text: status?.reason ?? "", tone: "bad" }),
      field("host", row.host),
      field("description", spec?.description),
      field("storage", storageOf(row.resource)),
      field("location", status?.location),
      field("size", formatBytes(status?.capacityBytes ?? 0n)),
      field("free", formatBytes(status?.freeBytes ?? 0n)),
      field("volumes", `${status?.volumeCount ?? 0}, ${formatBytes(status?.promisedBytes ?? 0n)} promised`),
      field("labels", labelText(labels)),
      field("created", `${ageText(createTime, context)} ago`),
      field("uid", uid),
    ];
  },
  commands: async () => (await import("./flags.js")).poolCommands,
};

/** A pool of which less than a twentieth is left. */
function shortage({ status }: Pool): Trouble | undefined {
  const { capacityBytes = 0n, freeBytes = 0n } = status ?? {};
  if (capacityBytes === 0n || freeBytes * 20n >= capacityBytes) return undefined;
  const why = `${formatBytes(freeBytes)} of ${formatBytes(capacityBytes)} are left`;
  return { tone: "warn", symbol: "!", word: "nearly full", why, since: undefined };
}
