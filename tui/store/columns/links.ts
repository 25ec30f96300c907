import { LinkEncryption, LinkPath, LinkTransport } from "../../../proto/gen/zor/v1/link.js";
import { durationMs, formatRtt } from "../../client/format.js";
import { shortName } from "../../client/short-name.js";
import { formatAge, formatCount, formatLoss } from "../format.js";
import { hostOf, type RowOf } from "../resource.js";
import { linkStyle } from "../states.js";
import {
  ageColumn,
  type Cell,
  type CellContext,
  type Column,
  labelColumn,
  nameColumn,
  type TableColumns,
} from "./column.js";

type LinkRow = RowOf<"links">;

const styleOf = (row: LinkRow) => linkStyle(row.resource.status?.state ?? 0);

const state: Column<LinkRow> = {
  id: "state",
  title: "STATE",
  importance: 10,
  min: 11,
  max: 24,
  sortLetter: "S",
  cell: stateOf,
  searched: (row) => styleOf(row).word,
};

function end(id: "a" | "b", title: string, importance: number): Column<LinkRow> {
  const lanOf = (row: LinkRow) => row.resource.spec?.[id] ?? "";
  return {
    id,
    title,
    importance,
    min: 9,
    max: 40,
    cell: (row, context) => {
      const lan = lanOf(row);
      return { text: shortName(lan), ...(context.fleet.isReachable(hostOf(lan)) ? {} : { tone: "warn" }) };
    },
    searched: (row) => shortName(lanOf(row)),
  };
}

const rtt: Column<LinkRow> = {
  id: "rtt",
  title: "RTT",
  importance: 8,
  min: 6,
  max: 8,
  align: "right",
  sortLetter: "R",
  cell: (row) => ({ text: formatRtt(row.resource.status?.rtt) }),
  sortKey: (row) => (row.resource.status?.rtt === undefined ? 0 : durationMs(row.resource.status.rtt)),
};

const loss: Column<LinkRow> = {
  id: "loss",
  title: "LOSS",
  importance: 7,
  min: 5,
  max: 5,
  align: "right",
  sortLetter: "L",
  descending: true,
  cell: (row) => {
    const ratio = row.resource.status?.lossRatio ?? 0;
    return { text: formatLoss(ratio), ...(ratio > 0 ? { tone: "warn" } : {}) };
  },
  sortKey: (row) => row.resource.status?.lossRatio ?? 0,
};

const path: Column<LinkRow> = {
  id: "path",
  title: "PATH",
  importance: 6,
  min: 6,
  max: 8,
  sortLetter: "P",
  cell: (row) => ({ text: pathText(row) }),
  searched: pathText,
};

const encryption: Column<LinkRow> = {
  id: "crypt",
  title: "CRYPT",
  importance: 6,
  min: 5,
  max: 5,
  cell: (row) => (isEncrypted(row) ? { text: "tls", tone: "dim" } : { text: "NONE", tone: "warn" }),
  searched: (row) => (isEncrypted(row) ? "tls" : "none"),
};

const mtu: Column<LinkRow> = {
  id: "mtu",
  title: "MTU",
  importance: 4,
  min: 5,
  max: 5,
  align: "right",
  cell: (row) => ({ text: `${row.resource.status?.mtuProven || "-"}` }),
  searched: (row) => `${row.resource.status?.mtuProven ?? ""}`,
};

const frames: Column<LinkRow> = {
  id: "frames",
  title: "FRAMES",
  importance: 4,
  min: 6,
  max: 6,
  align: "right",
  sortLetter: "F",
  descending: true,
  cell: (row) => ({ text: formatCount(carried(row)) }),
  sortKey: (row) => Number(carried(row)),
};

const drops: Column<LinkRow> = {
  id: "drops",
  title: "DROPS",
  importance: 5,
  min: 5,
  max: 6,
  align: "right",
  sortLetter: "D",
  descending: true,
  cell: (row) => {
    const value = dropped(row);
    return { text: formatCount(value), ...(value > 0n ? { tone: "warn" } : {}) };
  },
  sortKey: (row) => Number(dropped(row)),
};

const reason: Column<LinkRow> = {
  id: "reason",
  title: "REASON",
  importance: 9,
  min: 10,
  max: 60,
  grow: true,
  cell: (row, context) => ({ text: reasonText(row, context), tone: styleOf(row).tone === "bad" ? "bad" : "plain" }),
  searched: (row) => row.resource.status?.reason ?? "",
};

/** The table of links. */
export const linkColumns: TableColumns<"links"> = {
  columns: [
    nameColumn(),
    state,
    end("a", "END A", 9),
    end("b", "END B", 9),
    rtt,
    loss,
    path,
    encryption,
    mtu,
    frames,
    drops,
    ageColumn({ id: "since", title: "SINCE", importance: 5 }, (row: LinkRow) => row.resource.status?.sinceTime),
    ageColumn({ id: "age", title: "AGE", importance: 2, sortLetter: "A" }, (row: LinkRow) => row.resource.createTime),
    labelColumn(),
    reason,
  ],
  sortBy: "name",
};

/** Way of the frames, for people. */
export function pathText(row: LinkRow): string {
  switch (row.resource.status?.path) {
    case LinkPath.LINK_PATH_DIRECT:
      return "direct";
    case LinkPath.LINK_PATH_RELAYED:
      return "relayed";
    default:
      return "-";
  }
}

/** Whether the frames of a link are encrypted on their way. */
export function isEncrypted(row: LinkRow): boolean {
  return (
    row.resource.spec?.encryption !== LinkEncryption.LINK_ENCRYPTION_NONE &&
    row.resource.spec?.transport !== LinkTransport.LINK_TRANSPORT_VXLAN
  );
}

function stateOf(row: LinkRow, context: CellContext): Cell {
  const style = styleOf(row);
  const pending = context.fleet.pending.get(row.name);
  if (pending === undefined) return { text: `${style.symbol} ${style.word}`, tone: style.tone };
  const age = formatAge(context.nowMs - pending.sinceMs);
  return { text: `${style.symbol} ${style.word} → ${pending.verb} ${age}`, tone: "busy" };
}

function reasonText(row: LinkRow, context: CellContext): string {
  const next = row.resource.status?.nextTryTime;
  const why = row.resource.status?.reason ?? "";
  if (next === undefined) return why;
  const inMs = next.getTime() - context.fleet.hubTimeMs(context.nowMs);
  return inMs > 0 ? `${why} (next try in ${formatAge(inMs)})` : `${why} (trying now)`;
}

function carried(row: LinkRow): bigint {
  return (row.resource.status?.endA?.txFrames ?? 0n) + (row.resource.status?.endB?.txFrames ?? 0n);
}

function dropped(row: LinkRow): bigint {
  const ends = [row.resource.status?.endA, row.resource.status?.endB];
  return ends.reduce(
    (total, end) =>
      total + (end === undefined ? 0n : end.droppedQueueFrames + end.droppedDownFrames + end.droppedPortFrames),
    0n,
  );
}
