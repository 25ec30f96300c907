import type { Snapshot } from "../../../proto/gen/zor/v1/snapshot.js";
import { field } from "../../kit/describe/line.js";
import { formatBytes } from "../../kit/format.js";
import type { TuiKind } from "../../kit/kind.js";
import { ageText, labelText, stateCell } from "../../kit/table/columns.js";
import { snapshotActions } from "./actions.js";
import { kindOfSnapshot, snapshotColumns } from "./columns.js";
import { snapshotForm } from "./form.js";
import { snapshotStyle } from "./states.js";

/** States of instances to go back to. */
export const snapshotKind: TuiKind<Snapshot> = {
  kind: "snapshot",
  form: snapshotForm,
  columns: snapshotColumns,
  sortBy: "tree",
  empty: "no snapshots; take one with: zor snapshot create",
  counted: { short: "snaps", rank: 3 },
  actions: snapshotActions,
  stateAt: ["status", "state"],
  styleOf: snapshotStyle,
  describe: (row, context) => {
    const { spec, status, labels, uid, createTime } = row.resource;
    return [
      field("state", stateCell(row, snapshotStyle(status?.state), context)),
      field("instance", spec?.instance),
      field("description", spec?.description),
      field("keeps", kindOfSnapshot(row.resource)),
      field("size", formatBytes(status?.sizeBytes ?? 0n)),
      field("in volumes", (status?.volumes ?? []).join(" ")),
      field("hangs from", spec?.parent === "" ? "nothing: it is at the root" : spec?.parent),
      field("now", status?.current === true ? "the instance descends from it" : "no"),
      field("schedule", spec?.schedule),
      field("shows", `${ageText(status?.snapshotTime, context)} ago`),
      field("labels", labelText(labels)),
      field("created", `${ageText(createTime, context)} ago`),
      field("uid", uid),
    ];
  },
  suffersFrom: (row, deleted) =>
    deleted.kind === "instance" && deleted.host === row.host && deleted.id === row.resource.spec?.instance
      ? `snapshot ${row.host}/${row.id}: goes with ${deleted.id}`
      : undefined,
  livesOn: ({ host, resource }) => [`hosts/${host}/instances/${resource.spec?.instance ?? ""}`],
  commands: async () => (await import("./flags.js")).snapshotCommands,
};
