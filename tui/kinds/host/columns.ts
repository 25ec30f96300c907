import { toMs } from "../../../lib/duration.js";
import { type Host, HostState } from "../../../proto/gen/zor/v1/host.js";
import type { CellContext } from "../../kit/fleet/fleet-view.js";
import { formatMib, formatRtt } from "../../kit/format.js";
import type { Row } from "../../kit/row.js";
import type { Cell, Column } from "../../kit/table/column.js";
import { ageText, labelColumn, nameColumn, wideColumn } from "../../kit/table/columns.js";
import { hostStyle } from "./states.js";

type HostRow = Row<Host>;

const state: Column<HostRow> = {
  id: "state",
  title: "STATE",
  importance: 10,
  min: 15,
  max: 20,
  sortLetter: "S",
  cell: (row, context) => {
    const style = hostStyle(row.resource.state);
    const gone = row.resource.state === HostState.HOST_STATE_UNREACHABLE;
    const age =
      gone && row.resource.lastSeenTime !== undefined ? ` ${ageText(row.resource.lastSeenTime, context)}` : "";
    return { text: `${style.symbol} ${style.word}${age}`, tone: style.tone };
  },
  searched: (row) => hostStyle(row.resource.state).word,
};

const instances: Column<HostRow> = {
  id: "instances",
  title: "INST",
  importance: 8,
  min: 5,
  max: 9,
  align: "right",
  sortLetter: "I",
  descending: true,
  cell: (row) => {
    const { running, total } = countInstances(row);
    return { text: `${running}/${total}` };
  },
  sortKey: (row) => countInstances(row).total,
};

const lans: Column<HostRow> = {
  id: "lans",
  title: "LANS",
  importance: 5,
  min: 4,
  max: 5,
  align: "right",
  cell: (row) => ({ text: `${row.resource.summary?.lans ?? "-"}` }),
  sortKey: (row) => row.resource.summary?.lans ?? 0,
};

const load: Column<HostRow> = {
  id: "load",
  title: "LOAD",
  importance: 6,
  min: 5,
  max: 6,
  align: "right",
  sortLetter: "L",
  descending: true,
  cell: (row) => {
    const average = row.resource.summary?.loadAverage;
    const busy = average !== undefined && average > (row.resource.fingerprint?.cpus || Number.POSITIVE_INFINITY);
    return { text: average === undefined ? "-" : average.toFixed(2), ...(busy ? { tone: "warn" } : {}) };
  },
  sortKey: (row) => row.resource.summary?.loadAverage ?? 0,
};

const cpus: Column<HostRow> = {
  id: "cpus",
  title: "CPUS",
  importance: 5,
  min: 4,
  max: 5,
  align: "right",
  cell: (row) => ({ text: `${row.resource.fingerprint?.cpus || "-"}` }),
  sortKey: (row) => row.resource.fingerprint?.cpus ?? 0,
};

const memory: Column<HostRow> = {
  id: "memory",
  title: "MEM FREE",
  importance: 7,
  min: 9,
  max: 11,
  align: "right",
  sortLetter: "M",
  descending: true,
  cell: (row) => {
    const free = row.resource.summary?.memoryAvailableMib;
    const total = row.resource.fingerprint?.memoryMib;
    if (free === undefined) return { text: "-" };
    const low = total !== undefined && total > 0n && free * 10n < total;
    return { text: `${formatMib(free)}/${formatMib(total ?? 0n)}`, ...(low ? { tone: "warn" } : {}) };
  },
  sortKey: (row) => Number(row.resource.summary?.memoryAvailableMib ?? 0n),
};

const rtt: Column<HostRow> = {
  id: "rtt",
  title: "RTT",
  importance: 5,
  min: 6,
  max: 8,
  align: "right",
  sortLetter: "R",
  cell: (row) => ({ text: formatRtt(row.resource.sessionRtt) }),
  sortKey: (row) => toMs(row.resource.sessionRtt),
};

const kvm: Column<HostRow> = {
  id: "kvm",
  title: "KVM",
  importance: 4,
  min: 4,
  max: 4,
  cell: (row) => {
    const found = row.resource.fingerprint?.capabilities.find((capability) => capability.id === "kvm");
    if (found === undefined) return { text: "-" };
    return found.available ? { text: "yes", tone: "good" } : { text: "no", tone: "dim" };
  },
  searched: (row) =>
    row.resource.fingerprint?.capabilities.some((capability) => capability.id === "kvm" && capability.available) ===
    true
      ? "yes"
      : "no",
};

const agent: Column<HostRow> = {
  id: "agent",
  title: "AGENT",
  importance: 3,
  min: 7,
  max: 16,
  cell: (row) => ({ text: row.resource.fingerprint?.agentVersion ?? "" }),
  searched: (row) => row.resource.fingerprint?.agentVersion ?? "",
};

const seen: Column<HostRow> = {
  id: "seen",
  title: "SEEN",
  importance: 4,
  min: 6,
  max: 7,
  align: "right",
  cell: (row, context) => seenCell(row, context),
  sortKey: (row) => -(row.resource.lastSeenTime?.getTime() ?? 0),
};

const address: Column<HostRow> = {
  id: "address",
  title: "ADDRESS",
  importance: 3,
  min: 15,
  max: 32,
  cell: (row) => ({ text: row.resource.addresses[0] ?? "dials in", tone: "dim" }),
  searched: (row) => row.resource.addresses.join(" "),
};

const system: Column<HostRow> = {
  id: "system",
  title: "SYSTEM",
  importance: 2,
  min: 14,
  max: 56,
  cell: (row) => ({ text: systemText(row), tone: "dim" }),
  searched: systemText,
};

const reason: Column<HostRow> = {
  id: "reason",
  title: "REASON",
  importance: 7,
  min: 10,
  max: 60,
  grow: true,
  cell: (row) => ({ text: row.resource.reason, tone: hostStyle(row.resource.state).tone === "bad" ? "bad" : "plain" }),
  searched: (row) => row.resource.reason,
};

/** How long ago the hub heard the host. While the session is up that is now: the time itself is not told with every keepalive. */
export function seenCell(row: HostRow, context: CellContext): Cell {
  if (row.resource.state === HostState.HOST_STATE_READY) return { text: "now", tone: "dim" };
  return { text: ageText(row.resource.lastSeenTime, context) };
}

/** The table of hosts. */
export const hostColumns: readonly Column<HostRow>[] = [
  nameColumn(),
  state,
  instances,
  lans,
  load,
  cpus,
  memory,
  rtt,
  kvm,
  seen,
  agent,
  address,
  system,
  labelColumn(),
  reason,
];

/** Only for where there is room without end. */
export const hostWideColumns: readonly Column<HostRow>[] = [
  wideColumn("build", "BUILD", (row: HostRow) => row.resource.fingerprint?.agentBuild ?? ""),
  wideColumn("underlay", "UNDERLAY", (row: HostRow) => row.resource.underlayAddresses.join(",")),
];

function systemText(row: HostRow): string {
  const fingerprint = row.resource.fingerprint;
  return fingerprint === undefined ? "" : `${fingerprint.operatingSystem} ${fingerprint.kernel}`.trim();
}

function countInstances(row: HostRow): { readonly running: number; readonly total: number } {
  const counts = row.resource.summary?.instances ?? {};
  const total = Object.values(counts).reduce((sum, count) => sum + count, 0);
  return { running: counts["RUNNING"] ?? 0, total };
}
