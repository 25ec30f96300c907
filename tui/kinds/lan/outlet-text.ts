import type { Lan } from "../../../proto/gen/zor/v1/lan.js";
import {
  type CollectorStatus,
  ControllerFailMode,
  ControllerRole,
  type ControllerStatus,
  FlowExportFormat,
  type LanController,
} from "../../../proto/gen/zor/v1/lan_outlet.js";
import { type DescribeLine, field, heading } from "../../kit/describe/line.js";
import type { CellContext } from "../../kit/fleet/fleet-view.js";
import { formatBytes } from "../../kit/format.js";
import { ageText } from "../../kit/table/columns.js";

const formats: Readonly<Partial<Record<FlowExportFormat, string>>> = {
  [FlowExportFormat.FLOW_EXPORT_FORMAT_NETFLOW]: "netflow",
  [FlowExportFormat.FLOW_EXPORT_FORMAT_SFLOW]: "sflow",
  [FlowExportFormat.FLOW_EXPORT_FORMAT_IPFIX]: "ipfix",
};
const roles: Readonly<Partial<Record<ControllerRole, string>>> = {
  [ControllerRole.CONTROLLER_ROLE_PRIMARY]: ", primary",
  [ControllerRole.CONTROLLER_ROLE_SECONDARY]: ", secondary",
};

/** What is known of what leaves a lan's switch: who decides about its frames, and whom it tells of them. */
export function outletLines({ spec, status }: Lan, context: CellContext): readonly DescribeLine[] {
  const controllers = status?.controllers ?? [];
  const collectors = status?.collectors ?? [];
  return [
    ...(spec?.controller === undefined
      ? []
      : [
          heading("Controllers"),
          field("fail mode", failModeText(spec.controller)),
          ...controllers.map((each) => controllerLine(each, context)),
        ]),
    ...(collectors.length === 0 ? [] : [heading("Collectors"), ...collectors.map(collectorLine)]),
  ];
}

/** Who decides about frames, for a table: "connected", "away"; empty: the switch itself. */
export function controllerWord({ spec, status }: Lan): string {
  if (spec?.controller === undefined) return "";
  return (status?.controllers ?? []).some(({ connected }) => connected) ? "connected" : "away";
}

function failModeText({ failMode }: LanController): string {
  return failMode === ControllerFailMode.CONTROLLER_FAIL_MODE_SECURE
    ? "secure: while none answers, frames go by the flows there are"
    : "standalone: while none answers, frames are forwarded as by a switch";
}

function controllerLine(
  { target, connected, role, since, lastError }: ControllerStatus,
  context: CellContext,
): DescribeLine {
  const age = since === undefined ? "" : ` for ${ageText(since, context)}`;
  if (connected) return field(target, { text: `connected${age}${roles[role] ?? ""}`, tone: "good" });
  const why = lastError === "" ? "" : `: ${lastError}`;
  return field(target, { text: `not connected${age}${why}`, tone: "warn" });
}

function collectorLine({
  format,
  collector,
  datagrams,
  bytes,
  failedDatagrams,
  lastError,
}: CollectorStatus): DescribeLine {
  const sent = `sent ${datagrams} datagrams ${formatBytes(bytes)}, failed ${failedDatagrams}`;
  const name = `${formats[format] ?? "?"} ${collector}`;
  return lastError === "" ? field(name, sent) : field(name, { text: `${sent}: ${lastError}`, tone: "warn" });
}
