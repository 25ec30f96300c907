import { isIPv4 } from "node:net";
import { isId, quote } from "../../../lib/names.js";
import type { FieldViolation } from "../../../lib/errors.js";
import {
  type Nat,
  type NatBoot,
  type NatForward,
  NatProtocol,
  type NatReservation,
  NatSpec,
} from "../../../proto/gen/zor/v1/nat.js";
import type { Checked } from "../../kit/kind.js";
import { checkPort, checkUnfiltered, settlePort } from "../../network/lans/port-check.js";
import {
  defaultSubnet6,
  isIn,
  type Subnet,
  subnet6Fault,
  subnetFault,
  toNumber,
  toSubnet,
} from "../../network/nat/subnet.js";

const defaultSubnet = "10.77.0.0/24";
const defaultDomain = "lab";
const defaultListen = "127.0.0.1";
const [maxReservations, maxForwards] = [1024, 256];

/** Checks what a nat is asked to be and fills in what was not said. @param before what it is; undefined: it is new. */
export function checkNat(wanted: NatSpec | undefined, before: NatSpec | undefined): Checked<Nat> {
  const asked = wanted ?? NatSpec.fromPartial({});
  const subnet = asked.subnet === "" ? (before?.subnet ?? defaultSubnet) : asked.subnet;
  const fault = subnetFault(subnet);
  if (fault !== undefined) {
    return { spec: asked, violations: [{ field: "nat.spec.subnet", description: `${quote(subnet)} ${fault}` }] };
  }
  const spec: NatSpec = {
    ...asked,
    subnet,
    subnet6: asked.subnet6 === "" ? (before?.subnet6 ?? defaultSubnet6(subnet)) : asked.subnet6,
    domain: asked.domain === "" ? defaultDomain : asked.domain.toLowerCase(),
    reservations: asked.reservations.map((each) => ({
      ...each,
      mac: each.mac.toLowerCase(),
      name: each.name.toLowerCase(),
    })),
    forwards: asked.forwards.map(withDefaults),
    portSettings: settlePort(asked.portSettings),
  };
  return { spec, violations: [...checkWhole(spec), ...unchanged(spec, before), ...checkParts(spec)] };
}

function withDefaults(forward: NatForward): NatForward {
  const { protocol, listenAddress, listenPort, port } = forward;
  return {
    ...forward,
    protocol: protocol === NatProtocol.NAT_PROTOCOL_UNSPECIFIED ? NatProtocol.NAT_PROTOCOL_TCP : protocol,
    listenAddress: listenAddress === "" ? defaultListen : listenAddress,
    port: port === 0 ? listenPort : port,
  };
}

function checkWhole({ lan, subnet6, domain, boot, portSettings }: NatSpec): readonly FieldViolation[] {
  const fault6 = subnet6 === "none" ? undefined : subnet6Fault(subnet6);
  return [
    ...when(lan !== "" && !isId(lan), "lan", `${quote(lan)} is not the id of a lan, such as lan1`),
    ...when(fault6 !== undefined, "subnet6", `${quote(subnet6)} ${fault6 ?? ""}`),
    ...when(!isDomain(domain), "domain", `${quote(domain)} is not a domain such as "lab" or "lab.example"`),
    ...(boot === undefined ? [] : checkBoot(boot)),
    ...checkPort("nat.spec.port_settings", portSettings),
    ...when(
      portSettings?.addressGuard !== undefined,
      "port_settings.address_guard",
      "is not for a nat, which passes on what others send; leave it out",
    ),
    ...checkUnfiltered("nat.spec.port_settings", portSettings),
  ];
}

function unchanged(spec: NatSpec, before: NatSpec | undefined): readonly FieldViolation[] {
  if (before === undefined) return [];
  const text = (was: string): string => `cannot be changed: it is ${was}; delete the nat and make another`;
  return [
    ...when(spec.subnet !== before.subnet, "subnet", text(before.subnet)),
    ...when(spec.subnet6 !== before.subnet6, "subnet6", text(before.subnet6)),
  ];
}

function checkParts(spec: NatSpec): readonly FieldViolation[] {
  const subnet = toSubnet(spec.subnet);
  const { reservations, forwards } = spec;
  return [
    ...checkRange(spec, subnet),
    ...when(
      reservations.length > maxReservations,
      "reservations",
      `${reservations.length} are more than ${maxReservations}`,
    ),
    ...reservations
      .slice(0, maxReservations)
      .flatMap((reservation, index) => checkReservation(reservation, subnet, `reservations[${index}]`)),
    ...twice(reservations, ({ address }) => address, "reservations", "address"),
    ...twice(reservations, ({ mac, nic }) => mac || nic, "reservations", "mac"),
    ...when(forwards.length > maxForwards, "forwards", `${forwards.length} are more than ${maxForwards}`),
    ...forwards.slice(0, maxForwards).flatMap((forward, index) => checkForward(forward, subnet, `forwards[${index}]`)),
    ...twice(
      forwards,
      ({ protocol, listenAddress, listenPort }) => `${protocolName(protocol)} ${listenAddress} port ${listenPort}`,
      "forwards",
      "listen_port",
    ),
  ];
}

function checkRange({ dhcpFirst, dhcpLast }: NatSpec, subnet: Subnet): readonly FieldViolation[] {
  if (dhcpFirst === "" && dhcpLast === "") return [];
  const text = `is not an address of guests in ${subnet.cidr}; give dhcp_first and dhcp_last, or neither`;
  const bad = [
    ...when(!isGuests(subnet, dhcpFirst), "dhcp_first", `${quote(dhcpFirst)} ${text}`),
    ...when(!isGuests(subnet, dhcpLast), "dhcp_last", `${quote(dhcpLast)} ${text}`),
  ];
  if (bad.length > 0) return bad;
  return when(toNumber(dhcpFirst) > toNumber(dhcpLast), "dhcp_last", `${dhcpLast} comes before ${dhcpFirst}`);
}

function checkReservation({ mac, nic, address, name }: NatReservation, subnet: Subnet, field: string) {
  const isMac = /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/.test(mac) && Number.parseInt(mac.slice(0, 2), 16) % 2 === 0;
  const [instance = "", interfaceName = "", ...rest] = nic.split("/");
  const isNic = rest.length === 0 && isId(instance) && isId(interfaceName);
  return [
    ...when((mac === "") === (nic === ""), field, "give either mac or nic: whose the address is"),
    ...when(mac !== "" && !isMac, `${field}.mac`, `${quote(mac)} is not a MAC address such as "02:00:00:00:00:01"`),
    ...when(nic !== "" && !isNic, `${field}.nic`, `${quote(nic)} is not an interface such as "web/eth0"`),
    ...when(
      !isGuests(subnet, address),
      `${field}.address`,
      `${quote(address)} is not an address of guests in ${subnet.cidr}`,
    ),
    ...when(name !== "" && !isLabel(name), `${field}.name`, `${quote(name)} is not a name of letters, digits and "-"`),
  ];
}

function checkForward(forward: NatForward, subnet: Subnet, field: string): readonly FieldViolation[] {
  const { protocol, listenAddress, listenPort, address, port } = forward;
  const isPort = (number: number): boolean => Number.isInteger(number) && number >= 1 && number <= 65_535;
  const known = [NatProtocol.NAT_PROTOCOL_TCP, NatProtocol.NAT_PROTOCOL_UDP];
  return [
    ...when(!known.includes(protocol), `${field}.protocol`, `${protocol} is neither TCP nor UDP`),
    ...when(!isIPv4(listenAddress), `${field}.listen_address`, `${quote(listenAddress)} is not an IPv4 address`),
    ...when(!isPort(listenPort), `${field}.listen_port`, `${listenPort} is not a port from 1 to 65535`),
    ...when(
      !isGuests(subnet, address),
      `${field}.address`,
      `${quote(address)} is not an address of guests in ${subnet.cidr}`,
    ),
    // When it is not said it is the other one.
    ...when(port !== listenPort && !isPort(port), `${field}.port`, `${port} is not a port from 1 to 65535`),
  ];
}

function checkBoot({ directory, file }: NatBoot): readonly FieldViolation[] {
  const isClean = (path: string): boolean =>
    /^[A-Za-z0-9._/-]+$/.test(path) && !path.split("/").some((part) => part === "." || part === "..");
  const isDirectory = directory.startsWith("/") && directory.length <= 255 && isClean(directory);
  const isFile = file.length <= 127 && isClean(file) && !file.startsWith("/") && !file.startsWith("-");
  return [
    ...when(
      !isDirectory,
      "boot.directory",
      `${quote(directory)} is not an absolute path of letters, digits, ".", "_", "-" and "/"`,
    ),
    ...when(
      !isFile,
      "boot.file",
      `${quote(file)} is not a path in the directory, of at most 127 letters, digits, ".", "_", "-" and "/"`,
    ),
  ];
}

/** Whether a guest may have an address: not the subnet's own, the gateway's or everybody's. */
function isGuests({ cidr, first, last }: Subnet, address: string): boolean {
  if (!isIPv4(address) || !isIn(cidr, address)) return false;
  return toNumber(address) >= toNumber(first) && toNumber(address) <= toNumber(last);
}

function isDomain(text: string): boolean {
  return text.length <= 63 && text.split(".").every(isLabel);
}

/** A part of a host's name (RFC 1123), in lower case. */
export function isLabel(text: string): boolean {
  return /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(text);
}

/** "tcp" or "udp". */
export function protocolName(protocol: NatProtocol): "tcp" | "udp" {
  return protocol === NatProtocol.NAT_PROTOCOL_UDP ? "udp" : "tcp";
}

/** What is wrong where two of a list say the same. */
function twice<T>(list: readonly T[], keyOf: (each: T) => string, field: string, part: string) {
  const seen = new Set<string>();
  return list.flatMap((each, index) => {
    const key = keyOf(each);
    const isSeen = seen.has(key);
    seen.add(key);
    return when(key !== "" && isSeen, `${field}[${index}].${part}`, `${quote(key)} is there twice`);
  });
}

function when(isBad: boolean, field: string, description: string): readonly FieldViolation[] {
  return isBad ? [{ field: `nat.spec.${field}`, description }] : [];
}
