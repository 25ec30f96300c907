import { insideDevice, type NatConfig, type NatHosts } from "./nat-config.js";
import { outside } from "./subnet.js";

/** Files that dnsmasq of a nat reads, by their place. */
export interface DnsmasqPaths {
  readonly hosts: string;
  readonly dhcpHosts: string;
}

/** Most leases: a guest may ask under as many MAC addresses as it likes. */
const maxLeases = 1000;
const leaseTime = "12h";

/**
 * The settings of dnsmasq for a nat, dnsmasq(8). Names that guests say they have are ignored: they would be others'. It asks the resolver
 * of the program that goes out, which asks those of the host. Pure.
 */
export function dnsmasqConfig(nat: NatConfig, paths: DnsmasqPaths): string {
  const { subnet, subnet6, domain, range, boot, leaseFile } = nat;
  const lines = [
    `interface=${insideDevice}`,
    "bind-dynamic",
    "except-interface=lo",
    "user=nobody",
    "group=nogroup",
    "pid-file=",
    "no-resolv",
    "no-hosts",
    "no-ping",
    `server=${outside.resolver}`,
    `addn-hosts=${paths.hosts}`,
    "expand-hosts",
    `domain=${domain}`,
    `local=/${domain}/`,
    "localise-queries",
    "dns-forward-max=256",
    "quiet-dhcp",
    "quiet-dhcp6",
    "quiet-ra",
    "quiet-tftp",
    ...(range === undefined
      ? []
      : [
          "dhcp-authoritative",
          "dhcp-ignore-names",
          `dhcp-lease-max=${maxLeases}`,
          `dhcp-leasefile=${leaseFile}`,
          `dhcp-hostsfile=${paths.dhcpHosts}`,
          `dhcp-range=${range.first},${range.last},${subnet.mask},${leaseTime}`,
        ]),
    ...(range === undefined || subnet6 === undefined
      ? []
      : [
          "enable-ra",
          `dhcp-range=${withHost(subnet6.cidr, "1000")},${withHost(subnet6.cidr, "ffff")},ra-names,slaac,64,${leaseTime}`,
        ]),
    ...(boot === undefined
      ? []
      : [`enable-tftp=${insideDevice}`, `tftp-root=${boot.directory}`, `dhcp-boot=${boot.file}`, "tftp-max=64"]),
  ];
  return `${lines.join("\n")}\n`;
}

/** Who has which name and, where one is kept, which address: a line for each MAC address (dhcp-host of dnsmasq(8)). Pure. */
export function dhcpHostsFile({ byMac }: NatHosts): string {
  return byMac
    .map(({ mac, name, address }) => `${[mac, address, name].filter((part) => part !== "").join(",")}\n`)
    .join("");
}

/** Names of those who set their addresses themselves, hosts(5). Pure. */
export function hostsFile({ byAddress }: NatHosts): string {
  return byAddress.map(({ address, name }) => `${address} ${name}\n`).join("");
}

/** "fd77::/64" and "1000" give "fd77::1000". */
function withHost(cidr: string, host: string): string {
  const network = cidr.slice(0, cidr.indexOf("/"));
  return `${network}${host}`;
}
