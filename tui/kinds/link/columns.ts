import { toMs } from "../../../lib/duration.js";
import type { Link } from "../../../proto/gen/zor/v1/link.js";
import type { CellContext } from "../../kit/fleet/fleet-view.js";
import { formatAge, formatBits, formatLoss, formatRtt } from "../../kit/format.js";
import { hostOf, shortName } from "../../kit/resource-name.js";
import type { Row } from "../../kit/row.js";
import type { Cell, Column } from "../../kit/table/column.js";
import { ageColumn, countColumn, labelColumn, nameColumn, wideColumn } from "../../kit/table/columns.js";
import { droppedFrames, isCarrying, nextTryText, pathText, protectionOf } from "./facts.js";
import { protectionText } from "./words.js";
import { linkStyle } from "./states.js";

type LinkRow = Row<Link>;

const styleOf = (row: LinkRow) => linkStyle(row.resource.status?.state);

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
      return { text: shortName(lan), ...(context.fleet.isReachable(hostOf(lan) ?? "") ? {} : { tone: "warn" }) };
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
    if (!isCarrying(row.resource)) return { text: "-", tone: "dim" };
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
  cell: (row) => ({ text: pathText(row.resource), tone: pathText(row.resource) === "relayed" ? "warn" : "plain" }),
  searched: (row) => pathText(row.resource),
};

const protection: Column<LinkRow> = {
  id: "crypt",
  title: "CRYPT",
  importance: 9,
  min: 5,
  max: 6,
  cell: (row) => {
    const kind = protectionOf(row.resource);
    return kind === "none" ? { text: "!PLAIN", tone: "warn" } : { text: kind, tone: "dim" };
  },
  spelled: (row) => (protectionOf(row.resource) === "none" ? "UNENCRYPTED" : protectionOf(row.resource)),
  searched: (row) => protectionOf(row.resource),
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
    if (!isCarrying(row.resource)) return { text: "-", tone: "dim" };
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

const frames = countColumn<LinkRow>({ id: "frames", title: "FRAMES", importance: 4, sortLetter: "F" }, carried);

const drops = countColumn<LinkRow>(
  { id: "drops", title: "DROPS", importance: 6, sortLetter: "X", warns: true },
  (row) => droppedFrames(row.resource),
);

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
export const linkColumns: readonly Column<LinkRow>[] = [
  // Shorter than elsewhere, so that both ends, the path and its protection fit into 80 columns.
  nameColumn({ min: 6 }),
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
];

/** Only for where there is room without end. */
export const linkWideColumns: readonly Column<LinkRow>[] = [
  wideColumn("protection", "PROTECTION", (row: LinkRow) => protectionText(row.resource)),
];

function stateOf(row: LinkRow, context: CellContext): Cell {
  const style = styleOf(row);
  const pending = context.fleet.pendingOf(row.name);
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
