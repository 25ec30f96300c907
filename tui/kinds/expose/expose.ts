import { toMs } from "../../../lib/duration.js";
import { counted } from "../../../lib/words.js";
import type { Expose } from "../../../proto/gen/zor/v1/expose.js";
import { ExposeServiceService } from "../../../proto/gen/zor/v1/expose_service.js";
import { deletes, deletesBy } from "../../kit/action.js";
import { field } from "../../kit/describe/line.js";
import { formatAge, formatBytes } from "../../kit/format.js";
import type { TuiKind } from "../../kit/kind.js";
import { hostOf, shortName } from "../../kit/resource-name.js";
import { ageText, labelText, stateCell } from "../../kit/table/columns.js";
import { exposeColumns, exposeWideColumns } from "./columns.js";
import { exposeForm } from "./form.js";
import { serverText } from "./server-text.js";
import { exposeStyle } from "./states.js";

/** Ports of the hub's machine that lead to servers inside instances. */
export const exposeKind: TuiKind<Expose> = {
  kind: "expose",
  form: exposeForm,
  columns: exposeColumns,
  wideColumns: exposeWideColumns,
  sortBy: "name",
  empty: "no exposes; lead a port of the hub to a server with: zor expose alpha/web:80",
  counted: { short: "exposes", rank: 3 },
  actions: [
    {
      ...deletes,
      effect: ({ resource: { status } }) =>
        `nothing listens at ${status?.listen ?? ""} of the hub any more; ${counted(status?.connections ?? 0, "connection")} closed`,
      ...deletesBy(ExposeServiceService.deleteExpose),
    },
  ],
  stateAt: ["status", "state"],
  styleOf: exposeStyle,
  hostsOf: ({ resource }) => [hostOf(resource.spec?.instance ?? "") ?? ""].filter((host) => host !== ""),
  suffersFrom: ({ resource, id }, deleted) => {
    const instance = resource.spec?.instance ?? "";
    if (deleted.kind === "host" && hostOf(instance) === deleted.id) return `expose ${id} is deleted`;
    return deleted.name === instance ? `expose ${id} leads nowhere any more` : undefined;
  },
  needs: ({ resource: { spec } }) => [spec?.instance ?? ""],
  loss: ({ id, resource: { spec } }) => `expose ${id} leads nowhere while ${shortName(spec?.instance ?? "")} is down`,
  ofWhom: ({ status }) => status?.creator ?? "",
  livesOn: ({ resource: { spec } }) => [spec?.instance ?? "", `hosts/${hostOf(spec?.instance ?? "") ?? ""}`],
  describe: (row, context) => {
    const { spec, status, labels, uid, createTime } = row.resource;
    const idleMs = toMs(spec?.idleTimeout);
    return [
      field("state", stateCell(row, exposeStyle(status?.state), context)),
      field("reason", { text: status?.reason ?? "", tone: "bad" }),
      field("listens at", `${status?.listen ?? ""} of the hub's machine`),
      field("leads to", serverText(row.resource)),
      field("connections", `${status?.connections ?? 0} now, at most ${spec?.maxConnections || 256}`),
      field("taken", `${status?.totalConnections ?? 0n}`),
      field("failed", `${status?.failedConnections ?? 0n}`),
      field("refused", `${status?.refusedConnections ?? 0n}`),
      field("bytes", `${formatBytes(status?.bytesIn ?? 0n)} in, ${formatBytes(status?.bytesOut ?? 0n)} out`),
      field("closed", `after ${idleMs === 0 ? "24h" : formatAge(idleMs)} of silence`),
      field("made by", status?.creator),
      field("labels", labelText(labels)),
      field("created", `${ageText(createTime, context)} ago`),
      field("uid", uid),
    ];
  },
  commands: async () => (await import("./flags.js")).exposeCommands,
};
