import { toMs } from "../../../lib/duration.js";
import type { Fingerprint, Host } from "../../../proto/gen/zor/v1/host.js";
import { type DescribeLine, field, heading, text } from "../../kit/describe/line.js";
import type { CellContext } from "../../kit/fleet/fleet-view.js";
import { formatBytes, formatMib, formatRtt } from "../../kit/format.js";
import type { Row } from "../../kit/row.js";
import { ageText, labelText } from "../../kit/table/columns.js";
import { seenCell } from "./columns.js";
import { hostStyle } from "./states.js";

/** What is known of a host. */
export function describeHost(row: Row<Host>, context: CellContext): readonly DescribeLine[] {
  const host = row.resource;
  const style = hostStyle(host.state);
  const counts = Object.entries(host.summary?.instances ?? {}).map(
    ([state, count]) => `${count} ${state.toLowerCase()}`,
  );
  const fingerprint = host.fingerprint;
  return [
    field("state", { text: `${style.symbol} ${style.word}`, tone: style.tone }),
    field("reason", { text: host.reason, tone: style.tone }),
    field("last seen", seenCell(row, context).text),
    field("round trip", toMs(host.sessionRtt) === 0 ? "" : formatRtt(host.sessionRtt)),
    field("addresses", host.addresses.length === 0 ? "none: the agent dials the hub" : host.addresses.join(", ")),
    field("through", host.via),
    field("underlay", `${host.underlayAddresses.join(", ")}${host.undialable ? " (cannot be dialled)" : ""}`),
    field("labels", labelText(host.labels)),
    field("registered", `${ageText(host.createTime, context)} ago`),
    field("relayed", host.relayedBytes > 0n ? `${formatBytes(host.relayedBytes)} through the hub so far` : ""),
    field("uid", host.uid),
    heading("Load"),
    field("instances", counts.join(", ")),
    field("lans", `${host.summary?.lans ?? 0}`),
    field("load average", host.summary?.loadAverage.toFixed(2)),
    field("memory free", host.summary === undefined ? "" : formatMib(host.summary.memoryAvailableMib)),
    heading("Machine"),
    field("agent", fingerprint === undefined ? "" : agentText(fingerprint, host.agentPid)),
    field("system", fingerprint === undefined ? "" : `${fingerprint.operatingSystem}, ${fingerprint.kernel}`),
    field("cpu", fingerprint === undefined ? "" : `${fingerprint.cpus} x ${fingerprint.cpuModel}`),
    field("memory", fingerprint === undefined ? "" : formatMib(fingerprint.memoryMib)),
    heading("Capabilities"),
    ...(fingerprint?.capabilities ?? []).map((capability) =>
      field(capability.id, {
        text: [capability.available ? "● yes" : "○ no", capability.version, capability.reason]
          .filter((part) => part !== "")
          .join("  "),
        tone: capability.available ? "plain" : "dim",
      }),
    ),
    ...(fingerprint === undefined ? [text("not known yet", "dim")] : []),
  ];
}

function agentText({ agentVersion, agentBuild }: Fingerprint, pid: bigint): string {
  const build = agentBuild === "" ? "" : `build ${agentBuild}, `;
  return `${agentVersion} (${build}pid ${pid})`;
}
