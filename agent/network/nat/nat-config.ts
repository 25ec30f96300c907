import type { PortSettings } from "../../../proto/gen/zor/v1/port.js";
import type { Subnet, Subnet6 } from "./subnet.js";

/** What a nat should be, checked. */
export interface NatConfig {
  readonly uid: string;
  /** Resource name, the endpoint in its lan. */
  readonly name: string;
  /** Id of the lan that it is plugged into; "": none. */
  readonly lan: string;
  /** What the lan does with its frames; undefined: it forwards them. */
  readonly portSettings: PortSettings | undefined;
  /** Largest packet of the lan, in bytes. */
  readonly mtu: number;
  readonly subnet: Subnet;
  /** Undefined: no IPv6. */
  readonly subnet6: Subnet6 | undefined;
  /** Addresses that are given by DHCP; undefined: none are. */
  readonly range: { readonly first: string; readonly last: string } | undefined;
  readonly domain: string;
  /** Host names, and whose they are. */
  readonly hosts: NatHosts;
  readonly forwards: readonly PortForward[];
  readonly boot: { readonly directory: string; readonly file: string } | undefined;
  /** File of the leases, which outlive everything but the nat. */
  readonly leaseFile: string;
}

/** Who is who in a nat's lan. Names are of letters, digits and "-" only. */
export interface NatHosts {
  /** By MAC address, for DHCP. An address is kept for its owner. */
  readonly byMac: readonly { readonly mac: string; readonly name: string; readonly address: string }[];
  /** By address, of those who set their own. */
  readonly byAddress: readonly { readonly address: string; readonly name: string }[];
}

/** A port of the host that leads to a guest. */
export interface PortForward {
  readonly protocol: "tcp" | "udp";
  readonly listenAddress: string;
  readonly listenPort: number;
  readonly address: string;
  readonly port: number;
}

/** Device of a nat's namespace that leads to its lan, and the one that leads out. */
export const [insideDevice, outsideDevice] = ["lan0", "tap0"] as const;
