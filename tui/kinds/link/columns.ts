import { toMs } from "../../../lib/duration.js";
import { formatRtt } from "../../client/format.js";
import { shortName } from "../../kit/resource-name.js";
import { formatAge, formatBits, formatCount, formatLoss } from "../../kit/format.js";
import { droppedFrames, isCarrying, nextTryText, pathText, protectionOf } from "./facts.js";
import { hostOf, type RowOf } from "../../kit/row.js";
import { linkStyle } from "../../kit/states.js";
import {
  ageColumn,
  type Cell,
  type CellContext,
  type Column,
  labelColumn,
  nameColumn,
  type TableColumns,
} from "../../kit/table/column.js";

type LinkRow = RowOf<"links">;

const styleOf = (row: LinkRow) => linkStyle(row.resource.status?.state ?? 0);

const state: Column<LinkRow> = {
  id: "state",
  title: "STATE",
  importance: 10,
  min: 10,
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
    min: 10,
    max: 40,
    cut: "middle",
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
  sortKey: (row) => toMs(row.resource.status?.rtt),
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
    if (!isCarrying(row)) return { text: "-", tone: "dim" };
    return { text: formatLoss(ratio), ...(ratio > 0 ? { tone: "warn" } : {}) };
  },
  sortKey: (row) => row.resource.status?.lossRatio ?? 0,
};

const path: Column<LinkRow> = {
  id: "path",
  title: "PATH",
  importance: 8,
  min: 6,
  max: 8,
  sortLetter: "P",
  cell: (row) => ({ text: pathText(row), tone: pathText(row) === "relayed" ? "warn" : "plain" }),
  searched: pathText,
};

const protection: Column<LinkRow> = {
  id: "crypt",
  title: "CRYPT",
  importance: 9,
  min: 5,
  max: 6,
  cell: (row) => {
    const kind = protectionOf(row);
    return kind === "none" ? { text: "!PLAIN", tone: "warn" } : { text: kind, tone: "dim" };
  },
  searched: protectionOf,
};

const p99: Column<LinkRow> = {
  id: "p99",
  title: "P99",
  importance: 6,
  min: 6,
  max: 8,
  align: "right",
  cell: (row) => ({ text: formatRtt(row.resource.status?.rttP99) }),
  sortKey: (row) => toMs(row.resource.status?.rttP99),
};

/** Both ways in one column: half of it would be misleading. */
const throughput: Column<LinkRow> = {
  id: "throughput",
  title: "A→B     B→A",
  importance: 6,
  min: 15,
  max: 15,
  align: "right",
  sortLetter: "T",
  descending: true,
  cell: (row) => {
    const { aToBBps = 0n, bToABps = 0n } = row.resource.status ?? {};
    if (!isCarrying(row)) return { text: "-", tone: "dim" };
    return { text: `${formatBits(aToBBps)} ${formatBits(bToABps).padStart(7)}` };
  },
  sortKey: (row) => Number((row.resource.status?.aToBBps ?? 0n) + (row.resource.status?.bToABps ?? 0n)),
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
  importance: 6,
  min: 5,
  max: 6,
  align: "right",
  sortLetter: "X",
  descending: true,
  cell: (row) => {
    const value = droppedFrames(row);
    return { text: formatCount(value), ...(value > 0n ? { tone: "warn" } : {}) };
  },
  sortKey: (row) => Number(droppedFrames(row)),
};

const reason: Column<LinkRow> = {
  id: "reason",
  title: "REASON",
  importance: 9,
  min: 8,
  max: 60,
  grow: true,
  cell: (row, context) => ({ text: reasonText(row, context), tone: styleOf(row).tone === "bad" ? "bad" : "plain" }),
  searched: (row) => row.resource.status?.reason ?? "",
};

/** The table of links. */
export const linkColumns: TableColumns<"links"> = {
  columns: [
    // Shorter than elsewhere, so that both ends, the path and its protection fit into 80 columns.
    { ...nameColumn<"links">(), min: 6 },
    state,
    end("a", "END A", 9),
    end("b", "END B", 9),
    path,
    protection,
    rtt,
    p99,
    loss,
    throughput,
    drops,
    mtu,
    frames,
    ageColumn({ id: "since", title: "FOR", importance: 7 }, (row: LinkRow) => row.resource.status?.sinceTime),
    ageColumn({ id: "age", title: "AGE", importance: 2, sortLetter: "A" }, (row: LinkRow) => row.resource.createTime),
    labelColumn(),
    reason,
  ],
  sortBy: "name",
};

function stateOf(row: LinkRow, context: CellContext): Cell {
  const style = styleOf(row);
  const pending = context.fleet.pending.get(row.name);
  if (pending === undefined) return { text: `${style.symbol} ${style.word}`, tone: style.tone };
  const age = formatAge(context.nowMs - pending.sinceMs);
  return { text: `${style.symbol} ${style.word} → ${pending.verb} ${age}`, tone: "busy" };
}

function reasonText(row: LinkRow, context: CellContext): string {
  const why = row.resource.status?.reason ?? "";
  const next = nextTryText(row.resource.status?.nextTryTime, context);
  return next === "" ? why : `${why} (${next})`;
}

function carried(row: LinkRow): bigint {
  return (row.resource.status?.endA?.txFrames ?? 0n) + (row.resource.status?.endB?.txFrames ?? 0n);
}
