import type { Nat, NatLease, NatReservation } from "../../../proto/gen/zor/v1/nat.js";
import { type DescribeLine, field, heading, text } from "../../kit/describe/line.js";
import type { CellContext } from "../../kit/fleet/fleet-view.js";
import { formatAge } from "../../kit/format.js";
import { portText } from "../../kit/port-text.js";
import type { Row } from "../../kit/row.js";
import { ageText, labelText, stateCell } from "../../kit/table/columns.js";
import { forwardText } from "./forward-text.js";
import { natStyle } from "./states.js";

/** What is known of a nat. */
export function describeNat(row: Row<Nat>, context: CellContext): readonly DescribeLine[] {
  const { spec, status, labels, uid, createTime } = row.resource;
  const [leases, count] = [status?.leases ?? [], status?.leaseCount ?? 0];
  const [reservations, forwards] = [spec?.reservations ?? [], spec?.forwards ?? []];
  return [
    field("state", stateCell(row, natStyle(status?.state), context)),
    field("reason", { text: status?.reason ?? "", tone: "bad" }),
    field("note", { text: status?.note ?? "", tone: "warn" }),
    field("host", row.host),
    field("lan", spec?.lan || "none"),
    field("port", portText(spec?.portSettings)),
    field("subnet", `${spec?.subnet ?? ""}, gateway ${status?.gateway ?? ""}`),
    field("subnet6", spec?.subnet6 === "none" ? "none" : `${spec?.subnet6 ?? ""}, gateway ${status?.gateway6 ?? ""}`),
    field("dhcp", dhcpText(row.resource)),
    field("domain", spec?.domain),
    field("netboot", spec?.boot === undefined ? "" : `${spec.boot.file} of ${spec.boot.directory}`),
    field("labels", labelText(labels)),
    field("created", `${ageText(createTime, context)} ago`),
    field("uid", uid),
    ...(forwards.length === 0 ? [] : [heading(`Forwards (${forwards.length})`)]),
    ...forwards.map((forward) => text(forwardText(forward))),
    ...(reservations.length === 0 ? [] : [heading(`Reservations (${reservations.length})`)]),
    ...reservations.map(describeReservation),
    heading(`Leases (${count})`),
    ...leases.map((lease) => describeLease(lease, context)),
    ...(count > leases.length ? [text(`and ${count - leases.length} more`, "dim")] : []),
    ...(count === 0 ? [text("nobody has an address by DHCP", "dim")] : []),
  ];
}

function dhcpText({ spec }: Nat): string {
  if (spec?.noDhcp === true) return "none";
  return spec?.dhcpFirst ? `${spec.dhcpFirst} to ${spec.dhcpLast}` : "the whole subnet";
}

function describeReservation({ address, mac, nic, name }: NatReservation): DescribeLine {
  return field(address, [mac || nic, name].filter((part) => part !== "").join(", "));
}

function describeLease({ address, mac, name, expireTime }: NatLease, context: CellContext): DescribeLine {
  const left =
    expireTime === undefined ? "for ever" : `for ${formatAge(Math.max(0, expireTime.getTime() - context.nowMs))}`;
  return field(address, [name, mac, left].filter((part) => part !== "").join(", "));
}
