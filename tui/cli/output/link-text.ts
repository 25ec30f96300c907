import { counted } from "../../../lib/words.js";
import {
  type Link,
  LinkCause,
  type LinkEnd,
  LinkPath,
  LinkRole,
  LinkTransport,
  LoopPolicy,
} from "../../../proto/gen/zor/v1/link.js";
import { pathName } from "../../kinds/link/facts.js";
import { linkStateName } from "../../kinds/link/states.js";
import { protectionText } from "../../kinds/link/words.js";
import { formatAge, formatAgeOf, formatBits, formatBytes, formatLoss, formatRtt } from "../../kit/format.js";
import { impairmentDetails } from "../../kit/impairment-text.js";
import { shortName } from "../../kit/resource-name.js";

type Field = readonly [label: string, value: string];

const labelWidth = 14;

/** Everything known of a link, then of each end as its host sees it; fields without value are left out. Not escaped. */
export function linkText(link: Link, now: Date): string[] {
  const { spec, status } = link;
  const [a, b] = [shortName(spec?.a ?? ""), shortName(spec?.b ?? "")];
  const state = status === undefined ? "UNKNOWN" : linkStateName(status.state);
  return [
    `link ${shortName(link.name)}: ${a} <-> ${b}`,
    ...lines([
      ["state", stateText(state, status, now)],
      ["reason", status?.reason ?? ""],
      ["next try", nextTry(status?.nextTryTime, now)],
      ["path", status === undefined ? "" : pathName(status.path)],
      ["protection", protectionText(link)],
      ["transport", transportText(link)],
      ["round trip", status?.rtt === undefined ? "" : `${formatRtt(status.rtt)}, p99 ${formatRtt(status.rttP99)}`],
      ["loss", status?.rtt === undefined ? "" : formatLoss(status.lossRatio)],
      [
        "throughput",
        status === undefined ? "" : `a>b ${formatBits(status.aToBBps)}, b>a ${formatBits(status.bToABps)}`,
      ],
      ["mtu proven", status?.mtuProven ? `${status.mtuProven} bytes, both ways` : ""],
      ["relayed", status?.relayedBytes ? `${formatBytes(status.relayedBytes)} through the hub so far` : ""],
      ["a>b", spec?.aToB === undefined ? "" : impairmentDetails(spec.aToB)],
      ["b>a", spec?.bToA === undefined ? "" : impairmentDetails(spec.bToA)],
      ["schedule", spec?.schedule.length ? counted(spec.schedule.length, "step") : ""],
      ["seed", spec?.seed ? String(spec.seed) : ""],
      ["loops", spec?.loop === LoopPolicy.LOOP_POLICY_RSTP ? "allowed where RSTP breaks them" : ""],
      [
        "labels",
        Object.entries(link.labels)
          .map(([key, value]) => `${key}=${value}`)
          .join(", "),
      ],
      ["created", link.createTime === undefined ? "" : `${formatAgeOf(link.createTime, now)} ago`],
      ["uid", link.uid],
    ]),
    ...endLines(`end a on ${a}`, status?.endA, now),
    ...endLines(`end b on ${b}`, status?.endB, now),
  ];
}

/** The one line of `zor link watch`. Not escaped. */
export function linkLine(link: Link, now: Date): string {
  const { status } = link;
  const state = status === undefined ? "UNKNOWN" : linkStateName(status.state);
  const rtt = `rtt ${formatRtt(status?.rtt)}, p99 ${formatRtt(status?.rttP99)}`;
  const rates = `a>b ${formatBits(status?.aToBBps ?? 0n)}, b>a ${formatBits(status?.bToABps ?? 0n)}`;
  const facts = [
    state,
    status === undefined ? "" : pathName(status.path),
    protectionText(link) === "UNENCRYPTED" ? "UNENCRYPTED" : "",
    ...(status?.rtt === undefined ? [] : [rtt, `loss ${formatLoss(status.lossRatio)}`]),
    ...(status === undefined ? [] : [rates]),
  ].filter((fact) => fact !== "");
  const reason = status?.reason ? `  ${status.reason}` : "";
  return `${now.toISOString().slice(11, 19)}  ${facts.join("  ")}${reason}`;
}

function endLines(title: string, end: LinkEnd | undefined, now: Date): string[] {
  if (end === undefined) return [title, ...lines([["state", "nothing is known of it"]])];
  const frames = (count: bigint, bytes: bigint, bps: bigint): string =>
    `${count} frames, ${formatBytes(bytes)}, now ${formatBits(bps)}`;
  return [
    title,
    ...lines([
      ["role", end.role === LinkRole.LINK_ROLE_DIALER ? "dials" : "listens"],
      ["state", stateText(linkStateName(end.state), end, now)],
      ["reason", end.reason],
      ["next try", nextTry(end.nextTryTime, now)],
      ["connection", connectionText(end)],
      ["connects", end.connects > 0n ? String(end.connects) : ""],
      ["protection", end.protection],
      ["lan port", end.port],
      ["sent", frames(end.txFrames, end.txBytes, end.txBps)],
      ["received", frames(end.rxFrames, end.rxBytes, end.rxBps)],
      ["dropped", droppedText(end)],
      ["impaired", impairedText(end)],
      ["engine", end.enginePid > 0n ? `pid ${end.enginePid}` : ""],
    ]),
  ];
}

function connectionText({ localAddress, remoteAddress, path }: LinkEnd): string {
  if (remoteAddress === "") return "";
  return `${localAddress} -> ${remoteAddress} ${pathName(path)}`.trim();
}

function droppedText({ droppedQueueFrames, droppedDownFrames, droppedPortFrames }: LinkEnd): string {
  return `${droppedQueueFrames} queue full, ${droppedDownFrames} while down, ${droppedPortFrames} by the lan's port`;
}

function impairedText({ impairment }: LinkEnd): string {
  if (impairment === undefined) return "";
  const { lostFrames, duplicatedFrames, reorderedFrames, corruptedFrames, droppedQueueFrames } = impairment;
  const { droppedFilterFrames, droppedNthFrames } = impairment;
  const picked =
    droppedFilterFrames + droppedNthFrames === 0n
      ? ""
      : `, ${droppedFilterFrames} dropped by the filter, ${droppedNthFrames} by their number`;
  return `${lostFrames} lost, ${duplicatedFrames} doubled, ${reorderedFrames} reordered, ${corruptedFrames} corrupted, ${droppedQueueFrames} over the queue${picked}`;
}

/** "ACTIVE for 3h", "DOWN for 4s (refused)". */
function stateText(state: string, facts: Pick<LinkEnd, "sinceTime" | "cause"> | undefined, now: Date): string {
  const since = facts?.sinceTime === undefined ? "" : ` for ${formatAgeOf(facts.sinceTime, now)}`;
  return `${state}${since}${causeText(facts?.cause)}`;
}

function transportText({ spec, status }: Link): string {
  if (status?.path === LinkPath.LINK_PATH_LOCAL) return "none: both lans are on one host";
  return spec?.transport === LinkTransport.LINK_TRANSPORT_VXLAN ? "vxlan" : "tcp";
}

function causeText(cause: LinkCause | undefined): string {
  if (cause === undefined || cause === LinkCause.LINK_CAUSE_UNSPECIFIED) return "";
  const name = LinkCause[cause] as string | undefined;
  return name === undefined ? "" : ` (${name.replace("LINK_CAUSE_", "").toLowerCase().replaceAll("_", " ")})`;
}

function nextTry(time: Date | undefined, now: Date): string {
  if (time === undefined) return "";
  const inMs = time.getTime() - now.getTime();
  return inMs > 0 ? `in ${formatAge(inMs)}` : "now";
}

function lines(fields: readonly Field[]): string[] {
  return fields.filter(([, value]) => value !== "").map(([label, value]) => `  ${label.padEnd(labelWidth)}${value}`);
}
