import { type LinkEnd, LinkRole } from "../../../proto/gen/zor/v1/link.js";
import { formatBytes, formatRtt } from "../../client/format.js";
import { shortName } from "../../client/short-name.js";
import { ageText, type CellContext, labelText } from "../columns/column.js";
import { isEncrypted, pathText } from "../columns/links.js";
import { formatAge, formatLoss } from "../format.js";
import { hostOf, type RowOf } from "../resource.js";
import { linkStyle } from "../states.js";
import { type DescribeLine, field, heading, text } from "./line.js";

/** What is known of a link: the whole, then each end as its host sees it. */
export function describeLink(row: RowOf<"links">, context: CellContext): readonly DescribeLine[] {
  const { spec, status, labels, uid, createTime } = row.resource;
  const style = linkStyle(status?.state ?? 0);
  const pending = context.fleet.pending.get(row.name);
  const asked = pending === undefined ? "" : ` → ${pending.verb} ${formatAge(context.nowMs - pending.sinceMs)}`;
  return [
    field("state", {
      text: `${style.symbol} ${style.word} for ${ageText(status?.sinceTime, context)}${asked}`,
      tone: style.tone,
    }),
    field("reason", { text: status?.reason ?? "", tone: style.tone }),
    ...nextTry(status?.nextTryTime, context),
    field("path", pathText(row)),
    field("protection", isEncrypted(row) ? "TLS from end to end" : { text: "! not encrypted", tone: "warn" }),
    field("round trip", formatRtt(status?.rtt)),
    field("loss", formatLoss(status?.lossRatio ?? 0)),
    field("mtu proven", status?.mtuProven ? `${status.mtuProven} bytes` : ""),
    field("labels", labelText(labels)),
    field("created", `${ageText(createTime, context)} ago`),
    field("uid", uid),
    ...describeEnd("End A", spec?.a ?? "", status?.endA, context),
    ...describeEnd("End B", spec?.b ?? "", status?.endB, context),
  ];
}

function describeEnd(
  title: string,
  lan: string,
  end: LinkEnd | undefined,
  context: CellContext,
): readonly DescribeLine[] {
  const host = hostOf(lan);
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
    field("reason", { text: end.reason, tone: style.tone }),
    ...nextTry(end.nextTryTime, context),
    field("role", roleText(end.role)),
    field(
      "connection",
      end.remoteAddress === "" ? "" : `${end.localAddress} to ${end.remoteAddress}, set up ${end.connects} times`,
    ),
    field("protection", end.protection),
    field("round trip", formatRtt(end.rtt)),
    field("loss", formatLoss(end.lossRatio)),
    field("sent", `${end.txFrames} frames, ${formatBytes(end.txBytes)}`),
    field("received", `${end.rxFrames} frames, ${formatBytes(end.rxBytes)}`),
    field("dropped", dropText(end)),
    field("port", `${end.port}${end.enginePid === 0n ? "" : `, engine pid ${end.enginePid}`}`),
  ];
}

function nextTry(time: Date | undefined, context: CellContext): readonly DescribeLine[] {
  if (time === undefined) return [];
  const inMs = time.getTime() - context.fleet.hubTimeMs(context.nowMs);
  return [field("next try", inMs > 0 ? `in ${formatAge(inMs)}` : "now")];
}

function dropText(end: LinkEnd): { readonly text: string; readonly tone: "plain" | "warn" } {
  const { droppedQueueFrames: queue, droppedDownFrames: down, droppedPortFrames: port } = end;
  const parts = [`${queue} queue full`, `${down} while down`, `${port} not taken by the lan`];
  return { text: parts.join(", "), tone: queue + down + port > 0n ? "warn" : "plain" };
}

function roleText(role: LinkRole): string {
  if (role === LinkRole.LINK_ROLE_LISTENER) return "listener: waits for the other end";
  return role === LinkRole.LINK_ROLE_DIALER ? "dialer: connects, and connects again" : "";
}
