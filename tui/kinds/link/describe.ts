import { type Link, type LinkEnd, LinkRole, LinkTransport } from "../../../proto/gen/zor/v1/link.js";
import { toDuration } from "../../../lib/duration.js";
import { impairmentLines } from "../../kit/describe/impairment-lines.js";
import { type DescribeLine, field, heading, text } from "../../kit/describe/line.js";
import { highest, lowest } from "../../kit/describe/sparkline.js";
import type { CellContext } from "../../kit/fleet/fleet-view.js";
import { formatAge, formatBits, formatBytes, formatLoss, formatRtt } from "../../kit/format.js";
import { impairmentText } from "../../kit/impairment-text.js";
import { hostOf, shortName } from "../../kit/resource-name.js";
import type { Row } from "../../kit/row.js";
import type { Cell } from "../../kit/table/column.js";
import { ageText, labelText } from "../../kit/table/columns.js";
import { droppedByEnd, isCarrying, nextTryText, pathName, pathText, protectionOf } from "./facts.js";
import { type HistoryFigure, historyOf } from "./history.js";
import { linkStyle } from "./states.js";

type LinkRow = Row<Link>;

/** What is known of a link: the whole and its course, then each end as its host sees it. */
export function describeLink(row: LinkRow, context: CellContext): readonly DescribeLine[] {
  const { spec, status, labels, uid, createTime } = row.resource;
  const style = linkStyle(status?.state);
  const pending = context.fleet.pendingOf(row.name);
  const asked = pending === undefined ? "" : ` → ${pending.verb} ${formatAge(context.nowMs - pending.sinceMs)}`;
  const impaired = spec?.aToB !== undefined || spec?.bToA !== undefined;
  return [
    field("state", {
      text: `${style.symbol} ${style.word} for ${ageText(status?.sinceTime, context)}${asked}`,
      tone: style.tone,
    }),
    ...present("reason", { text: status?.reason ?? "", tone: style.tone }),
    ...present("next try", nextTryText(status?.nextTryTime, context)),
    field(
      "path",
      `${pathText(row.resource)}${status?.relayedBytes ? `, ${formatBytes(status.relayedBytes)} relayed so far` : ""}`,
    ),
    field("protection", protectionCell(row)),
    field("round trip", rttText(status)),
    field("loss", isCarrying(row.resource) ? formatLoss(status?.lossRatio ?? 0) : ""),
    field("mtu proven", status?.mtuProven ? `${status.mtuProven} bytes, both ways` : ""),
    ...(impaired ? [field("impaired", `a→b ${impairmentText(spec.aToB)}, b→a ${impairmentText(spec.bToA)}`)] : []),
    heading("Last 2 minutes"),
    course(row, "round trip", "rttMs", context),
    course(row, "a→b", "aToBBps", context),
    course(row, "b→a", "bToABps", context),
    course(row, "loss", "lossRatio", context),
    ...describeEnd("End A", spec?.a ?? "", status?.endA, context),
    ...describeEnd("End B", spec?.b ?? "", status?.endB, context),
    heading("Record"),
    field("labels", labelText(labels)),
    field("created", `${ageText(createTime, context)} ago`),
    field("uid", uid),
  ];
}

/** Lowest value of the highest bar of each figure, so that noise does not look like trouble; and how values are written. */
const scales: Readonly<Record<HistoryFigure, { readonly floor: number; format(value: number): string }>> = {
  rttMs: { floor: 0.2, format: (ms) => formatRtt(toDuration(ms)) },
  aToBBps: { floor: 10_000, format: formatBits },
  bToABps: { floor: 10_000, format: formatBits },
  lossRatio: { floor: 0.02, format: formatLoss },
};

function course(row: LinkRow, label: string, figure: HistoryFigure, { fleet, nowMs }: CellContext): DescribeLine {
  const values = historyOf(fleet)?.read(row.name, figure, nowMs) ?? [];
  const { floor, format } = scales[figure];
  const most = highest(values);
  // A steady round trip is drawn at half height: what matters is how far it strays.
  const steady = figure === "rttMs" ? 2 * lowest(values) : 0;
  const known = !Number.isNaN(most);
  const last = values.at(-1) ?? Number.NaN;
  const now = Number.isNaN(last) ? "-" : format(last);
  return {
    type: "course",
    label,
    values,
    full: known ? Math.max(most, floor, steady) : floor,
    text: known ? `${now.padStart(7)}, most ${format(most)}` : "no measurement",
    ...(known ? {} : { tone: "dim" as const }),
  };
}

function describeEnd(
  title: string,
  lan: string,
  end: LinkEnd | undefined,
  context: CellContext,
): readonly DescribeLine[] {
  const host = hostOf(lan) ?? "";
  const head = [heading(`${title}: ${shortName(lan)}`)];
  const away = context.fleet.isReachable(host)
    ? []
    : [text(`host ${host} does not answer; this is what it said last`, "warn")];
  if (end === undefined) return [...head, ...away, text("not prepared yet", "dim")];
  const style = linkStyle(end.state);
  return [
    ...head,
    ...away,
    field("state", { text: `${style.symbol} ${style.word} for ${ageText(end.sinceTime, context)}`, tone: style.tone }),
    ...present("reason", { text: end.reason, tone: style.tone }),
    ...present("next try", nextTryText(end.nextTryTime, context)),
    field("role", roleText(end.role)),
    field("connection", connectionText(end)),
    field("protection", end.protection === "none" ? { text: "! none", tone: "warn" } : end.protection),
    field("round trip", `${rttText(end)}, loss ${formatLoss(end.lossRatio)}`),
    field("sent", `${end.txFrames} frames, ${formatBytes(end.txBytes)}, now ${formatBits(end.txBps)}`),
    field("received", `${end.rxFrames} frames, ${formatBytes(end.rxBytes)}, now ${formatBits(end.rxBps)}`),
    field("dropped", dropCell(end)),
    field("mtu proven", end.mtuProven === 0 ? "" : `${end.mtuProven} bytes`),
    field("port", `${end.port}${end.enginePid === 0n ? "" : `, engine pid ${end.enginePid}`}`),
    ...(end.impairment === undefined
      ? []
      : [text("impairment of what it sends:", "dim"), ...impairmentLines(end.impairment)]),
  ];
}

/** A field that is only there when there is something to say. */
function present(label: string, value: string | Cell): readonly DescribeLine[] {
  return (typeof value === "string" ? value : value.text) === "" ? [] : [field(label, value)];
}

function protectionCell(row: LinkRow): Cell {
  const { spec, status } = row.resource;
  switch (protectionOf(row.resource)) {
    case "local":
      return { text: "not needed: frames do not leave the host" };
    case "none": {
      const how = spec?.transport === LinkTransport.LINK_TRANSPORT_VXLAN ? "vxlan" : "tcp without TLS";
      return { text: `! NOT ENCRYPTED (${how}): whoever is on the way can read and change frames`, tone: "warn" };
    }
    case "tls":
      return { text: `${status?.protection || "TLS"}, from end to end` };
  }
}

function rttText(measured: Pick<LinkEnd, "rtt" | "rttP99"> | undefined): string {
  if (measured?.rtt === undefined) return "not measured";
  const p99 = measured.rttP99 === undefined ? "" : `, ${formatRtt(measured.rttP99)} p99`;
  return `${formatRtt(measured.rtt)} median${p99}`;
}

function connectionText(end: LinkEnd): string {
  const times = end.connects === 1n ? "once" : `${end.connects} times`;
  if (end.remoteAddress === "") return end.connects === 0n ? "" : `none now, was set up ${times}`;
  const path = pathName(end.path);
  return `${end.localAddress} to ${end.remoteAddress}${path === "" ? "" : `, ${path}`}, set up ${times}`;
}

function dropCell(end: LinkEnd): Cell {
  const { droppedQueueFrames: queue, droppedDownFrames: down, droppedPortFrames: port } = end;
  const parts = [`${queue} queue full`, `${down} while down`, `${port} not taken by the lan`];
  return { text: parts.join(", "), tone: droppedByEnd(end) > 0n ? "warn" : "plain" };
}

function roleText(role: LinkRole): string {
  if (role === LinkRole.LINK_ROLE_LISTENER) return "listener: waits for the other end";
  return role === LinkRole.LINK_ROLE_DIALER ? "dialer: connects, and connects again" : "";
}
