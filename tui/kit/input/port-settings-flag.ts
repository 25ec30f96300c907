import { invalidArgument } from "../../../lib/errors.js";
import { quote } from "../../../lib/names.js";
import {
  type AddressGuard,
  type PortRate,
  PortSettings,
  type PortVlan,
  QinqEthertype,
  type StormControl,
  VlanMode,
} from "../../../proto/gen/zor/v1/port.js";
import { parseBitRate, parseBytes } from "./amounts.js";
import { bondHelp, bondKeys, readBond } from "./bond-flag.js";
import { parseFields, parseWhole, singleField } from "./key-values.js";

/** The keys of a port's settings among those of --nic and --port. */
export const portKeys = [
  ...["vlan", "trunk", "native", "native-tagged", "qinq", "qinq-type"],
  ...["mirror-from", "mirror-to"],
  ...["rate-in", "rate-out", "storm-broadcast", "storm-multicast", "storm-unknown"],
  ...["guard", "guard-mac", "guard-addr", "max-macs"],
  ...bondKeys,
] as const;

/** Says which keys, for help. */
export const portHelp = `vlan=ID (access), trunk=ID or FROM-TO, native=ID, native-tagged=ID, qinq=ID, mirror-from=NAME, mirror-to=NAME, rate-in=RATE[/BURST], rate-out=RATE[/BURST], storm-broadcast=N (frames a second), storm-multicast=N, storm-unknown=N, guard, guard-mac=MAC, guard-addr=IP, max-macs=N, ${bondHelp}`;

/** Reads a port's settings; undefined: nothing is said of them. @param option such as "--nic". @throws {ZorError} */
export function readPortSettings(option: string, fields: Map<string, string[]>): PortSettings | undefined {
  if (!portKeys.some((key) => fields.has(key))) return undefined;
  return PortSettings.fromPartial({
    vlan: readVlan(option, fields),
    mirrorFrom: fields.get("mirror-from") ?? [],
    mirrorTo: fields.get("mirror-to") ?? [],
    rateIn: readRate(`${option} rate-in`, singleField(option, fields, "rate-in")),
    rateOut: readRate(`${option} rate-out`, singleField(option, fields, "rate-out")),
    stormControl: readStorm(option, fields),
    addressGuard: readGuard(option, fields),
    maxMacs: readMaxMacs(option, fields),
    bond: readBond(option, fields),
  });
}

/** The same of the text of --port alone; empty: nothing is said. @throws {ZorError} */
export function readPortFlag(text: string): PortSettings | undefined {
  return readPortSettings("--port", text === "" ? new Map<string, string[]>() : parseFields("--port", text, portKeys));
}

const tagged: Readonly<Record<string, VlanMode>> = {
  vlan: VlanMode.VLAN_MODE_ACCESS,
  native: VlanMode.VLAN_MODE_NATIVE_UNTAGGED,
  "native-tagged": VlanMode.VLAN_MODE_NATIVE_TAGGED,
  qinq: VlanMode.VLAN_MODE_QINQ,
};

function readVlan(option: string, fields: Map<string, string[]>): PortVlan | undefined {
  const trunks = (fields.get("trunk") ?? []).flatMap((text) => parseRange(`${option} trunk`, text));
  const given = Object.keys(tagged).filter((key) => fields.has(key));
  const [key] = given;
  if (given.length > 1) throw invalidArgument(option, `${given.join(" and ")} do not go together`);
  const type = singleField(option, fields, "qinq-type");
  if (type !== undefined && key !== "qinq") throw invalidArgument(option, "qinq-type goes with qinq=ID only");
  const qinqEthertype = readEthertype(option, type);
  if (key === undefined)
    return trunks.length === 0 ? undefined : { mode: VlanMode.VLAN_MODE_TRUNK, tag: 0, trunks, qinqEthertype };
  if (key === "vlan" && trunks.length > 0)
    throw invalidArgument(option, "vlan=ID is an access port; a trunk with a VLAN of its own is native=ID,trunk=…");
  const tag = parseWhole(`${option} ${key}`, singleField(option, fields, key) ?? "", 1, 4094);
  return { mode: tagged[key] ?? VlanMode.VLAN_MODE_ACCESS, tag, trunks, qinqEthertype };
}

/** "10mbit", or with what may pass at once "10mbit/256k". */
function readRate(option: string, text: string | undefined): PortRate | undefined {
  if (text === undefined) return undefined;
  const [rate = "", burst, ...rest] = text.split("/");
  if (rest.length > 0) throw invalidArgument(option, `${quote(text)} is not RATE or RATE/BURST, such as 10mbit/256k`);
  return { rateBps: parseBitRate(option, rate), burstBytes: burst === undefined ? 0n : parseBytes(option, burst) };
}

/** Frames a second. */
function readStorm(option: string, fields: Map<string, string[]>): StormControl | undefined {
  const limit = (key: string): number | undefined => {
    const text = singleField(option, fields, key);
    return text === undefined ? undefined : parseWhole(`${option} ${key}`, text, 1, 10_000_000);
  };
  const limits = ["storm-broadcast", "storm-multicast", "storm-unknown"].map(limit);
  if (limits.every((each) => each === undefined)) return undefined;
  const [broadcastPerSecond = 0, multicastPerSecond = 0, unknownUnicastPerSecond = 0] = limits;
  return { broadcastPerSecond, multicastPerSecond, unknownUnicastPerSecond };
}

/** Further addresses alone mean a guard too. */
function readGuard(option: string, fields: Map<string, string[]>): AddressGuard | undefined {
  const word = singleField(option, fields, "guard");
  if (word !== undefined && word !== "true") {
    throw invalidArgument(option, `guard takes no value; further addresses are guard-mac=MAC and guard-addr=IP`);
  }
  if (word === undefined && !fields.has("guard-mac") && !fields.has("guard-addr")) return undefined;
  return { macs: fields.get("guard-mac") ?? [], addresses: fields.get("guard-addr") ?? [] };
}

function readMaxMacs(option: string, fields: Map<string, string[]>): number {
  const text = singleField(option, fields, "max-macs");
  return text === undefined ? 0 : parseWhole(`${option} max-macs`, text, 1, 1024);
}

function readEthertype(option: string, type: string | undefined): QinqEthertype {
  if (type === undefined) return QinqEthertype.QINQ_ETHERTYPE_UNSPECIFIED;
  if (type === "802.1ad") return QinqEthertype.QINQ_ETHERTYPE_8021AD;
  if (type === "802.1q") return QinqEthertype.QINQ_ETHERTYPE_8021Q;
  throw invalidArgument(option, `qinq-type ${quote(type)} is neither 802.1ad nor 802.1q`);
}

/** "10" or "10-20". */
function parseRange(option: string, text: string): number[] {
  const [first = "", last = first] = text.split("-");
  const [from, to] = [parseWhole(option, first, 0, 4095), parseWhole(option, last, 0, 4095)];
  if (to < from) throw invalidArgument(option, `${quote(text)} ends before it begins`);
  return Array.from({ length: to - from + 1 }, (_, index) => from + index);
}
