import { filterLines } from "../../../lib/filter-rule.js";
import { PortFilter } from "../../../proto/gen/zor/v1/acl.js";
import type { ConsoleSession } from "../../../proto/gen/zor/v1/console_service.js";
import type { Instance } from "../../../proto/gen/zor/v1/instance.js";
import { type DescribeLine, field, heading, text } from "../../kit/describe/line.js";
import type { CellContext } from "../../kit/fleet/fleet-view.js";
import { formatMib } from "../../kit/format.js";
import { portText } from "../../kit/port-text.js";
import { shortIdentity } from "../../kit/resource-name.js";
import type { Row } from "../../kit/row.js";
import { ageText, labelText, stateCell } from "../../kit/table/columns.js";
import { diskLines } from "./describe-disks.js";
import { hardwareLines } from "./describe-hardware.js";
import { lifecycleLines } from "./describe-lifecycle.js";
import { scheduleLines } from "./describe-schedules.js";
import { crunLines } from "./drivers/crun-lines.js";
import { describeEngine } from "./drivers/engines.js";
import { describeDomain } from "./drivers/libvirt.js";
import { heardOf, nicsOf } from "./nics.js";
import { instanceStyle, pendingText, restartText, stateOf } from "./states.js";

/** What is known of an instance. */
export function describeInstance(row: Row<Instance>, context: CellContext): readonly DescribeLine[] {
  const { spec, status, labels, uid, createTime } = row.resource;
  const style = instanceStyle(stateOf(row.resource));
  const observed = context.fleet.isReachable(row.host) ? "" : `last known: ${style.word}`;
  return [
    field("state", stateCell(row, style, context)),
    ...(observed === "" ? [] : [field("", { text: observed, tone: "warn" })]),
    field("reason", { text: status?.reason ?? "", tone: style.tone === "bad" ? "bad" : "plain" }),
    field("changes", { text: pendingText(status), tone: "warn" }),
    field("restart", { text: restartText(status), tone: "warn" }),
    field("host", row.host),
    field("observed", `${ageText(status?.observeTime, context)} ago`),
    field("started", status?.startTime === undefined ? "never" : `${ageText(status.startTime, context)} ago`),
    field("pid", status?.pid ? `${status.pid}` : ""),
    field(
      "exec",
      status?.execReady === true ? { text: "● ready", tone: "good" } : { text: "○ not ready", tone: "dim" },
    ),
    field("console", (status?.consoleSessions ?? []).map(consoleText).join(", ")),
    field("cpus", `${spec?.cpus || 1}`),
    field("memory", formatMib(spec?.memoryMib ?? 0n)),
    field("labels", labelText(labels)),
    ...lifecycleLines(row.resource, context),
    field("created", `${ageText(createTime, context)} ago`),
    field("uid", uid),
    heading("Interfaces"),
    ...nicsOf(row.resource).flatMap((nic) => [
      field(nic.name, {
        text: nic.lan === "" ? "○ unplugged" : `● ${nic.lan}`,
        tone: nic.lan === "" ? "dim" : "plain",
      }),
      field(
        "",
        [
          nic.addresses.join(" "),
          nic.mac,
          portText(nic.portSettings),
          nic.model,
          nic.deviceAddress,
          nic.port === "" ? "" : `port ${nic.port}`,
        ]
          .filter((part) => part !== "")
          .join("  "),
      ),
      ...filterLines(nic.portSettings?.filter ?? PortFilter.create()).map((line, index) =>
        field(index === 0 ? "filter" : "", line),
      ),
      ...heardLines(heardOf(row.resource, nic.name)),
    ]),
    ...(nicsOf(row.resource).length === 0 ? [text("none", "dim")] : []),
    ...driverLines(row),
    ...scheduleLines(row.resource, context),
  ];
}

function heardLines(addresses: readonly string[]): readonly DescribeLine[] {
  return addresses.length === 0 ? [] : [field("", { text: `heard ${addresses.join(" ")}`, tone: "dim" })];
}

/** "ana", or "bob (looks, port 1)". */
function consoleText({ caller, writable, port }: ConsoleSession): string {
  const facts = [...(writable ? [] : ["looks"]), ...(port === 0 ? [] : [`port ${port}`])];
  return `${shortIdentity(caller)}${facts.length === 0 ? "" : ` (${facts.join(", ")})`}`;
}

function driverLines(row: Row<Instance>): readonly DescribeLine[] {
  const driver = row.resource.spec?.driver;
  switch (driver?.$case) {
    case "qemu": {
      const { machine, kernel, initrd, kernelArguments, disks, cdroms } = driver.value;
      const { status } = row.resource;
      return [
        heading("QEMU"),
        field("machine", machine || "q35"),
        field("accelerator", row.resource.status?.accelerator),
        field("kernel", kernel),
        field("initrd", initrd),
        field("arguments", kernelArguments),
        ...hardwareLines(driver.value),
        ...(status?.balloonMib ? [field("has now", formatMib(status.balloonMib))] : []),
        ...diskLines(disks, cdroms),
      ];
    }
    case "crun":
      return crunLines(driver.value, row.resource.status?.health);
    case "docker":
      return describeEngine("Docker", driver.value, row.resource.status?.health);
    case "podman":
      return describeEngine("podman", driver.value, row.resource.status?.health);
    case "libvirt":
      return describeDomain(driver.value);
    case "other":
      return [heading("Driver"), field("options", driver.value.typeUrl)];
    case undefined:
      return [];
  }
}
