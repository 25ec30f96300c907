import type { NatSpec } from "../../../proto/gen/zor/v1/nat.js";
import type { NatHosts } from "../../network/nat/nat-config.js";
import { isIn } from "../../network/nat/subnet.js";
import { isLabel } from "./nat-spec.js";

/** An interface of an instance that is in a lan. */
export interface Member {
  /** Id of the instance. */
  readonly instance: string;
  readonly nic: string;
  readonly mac: string;
  /** Addresses with prefix length that it sets itself. */
  readonly addresses: readonly string[];
  /** It is the instance's first in the lan. */
  readonly isFirst: boolean;
}

type ByMac = NatHosts["byMac"][number];

/**
 * Who is who in the lan of a nat: instances by their ids, further interfaces as "web-eth1"; reservations before them. What is no name of a host
 * becomes one, and of two that become the same the one that was one already has it. Pure.
 */
export function natHosts(spec: NatSpec, members: readonly Member[]): NatHosts {
  const named = nameAll(spec, members);
  const byMac = new Map<string, ByMac>();
  const addresses = new Set<string>();
  const keep = (mac: string, name: string, address: string): void => {
    // dnsmasq takes each MAC address and each address once.
    if (byMac.has(mac)) return;
    byMac.set(mac, { mac, name, address: addresses.has(address) ? "" : address });
    if (address !== "") addresses.add(address);
  };
  const nameOf = (mac: string): string => named.find(({ member }) => member.mac === mac)?.name ?? "";
  for (const { mac, nic, address, name } of spec.reservations) {
    const owner = members.find((member) => `${member.instance}/${member.nic}` === nic);
    // Kept for an interface that is not there yet: nobody has such an identifier.
    const key = mac === "" ? (owner?.mac ?? `id:kept-${address}`) : mac;
    keep(key, name === "" ? nameOf(key) : name, address);
  }
  const byAddress: { readonly address: string; readonly name: string }[] = [];
  for (const { member, name } of named) {
    const own = member.addresses.map((address) => address.slice(0, address.indexOf("/")));
    const inside = own.filter((address) => isIn(spec.subnet, address));
    // Nobody else is given what it has set itself.
    keep(member.mac, name, inside[0] ?? "");
    const inside6 = spec.subnet6 === "none" ? [] : own.filter((address) => isIn(spec.subnet6, address));
    for (const address of [...inside, ...inside6]) if (name !== "") byAddress.push({ address, name });
  }
  return { byMac: [...byMac.values()].filter(({ name, address }) => name !== "" || address !== ""), byAddress };
}

function nameAll(spec: NatSpec, members: readonly Member[]) {
  const taken = new Set(spec.reservations.map(({ name }) => name));
  const wanted = members.map((member) => {
    const text = member.isFirst ? member.instance : `${member.instance}-${member.nic}`;
    return { member, text, name: toLabel(text) };
  });
  const ordered = [...wanted].sort((a, b) => Number(b.text === b.name) - Number(a.text === a.name));
  return ordered.map(({ member, name }) => {
    const isFree = isLabel(name) && !taken.has(name);
    if (isFree) taken.add(name);
    return { member, name: isFree ? name : "" };
  });
}

/** "Web_1.a" becomes "web-1-a". */
function toLabel(text: string): string {
  return text
    .toLowerCase()
    .replace(/[^a-z0-9-]/g, "-")
    .slice(0, 63)
    .replace(/-+$/, "");
}
