import { isIP, isIPv6 } from "node:net";
import { isDnsName } from "../../../lib/socket-address.js";
import { refusalOfUnderlayIp } from "../../../lib/underlay-address.js";
import type { HelloResponse } from "../../../proto/gen/zor/agent/v1/agent_service.js";
import type { Host } from "../../../proto/gen/zor/v1/host.js";
import type { LinkTransport } from "../../../proto/gen/zor/v1/link.js";
import { splitAddress } from "../../config.js";

/** What links need to know of a host. */
export interface CableFacts {
  readonly ready: boolean;
  /** Undefined until its agent has said hello, or while it has no cable engine. */
  readonly cableKeySha256: Buffer | undefined;
  /** "ip:port" or "name:port" at which other hosts reach its cable engine; empty: they cannot. */
  readonly cableAddresses: readonly string[];
  /** The machine's own identity. */
  readonly uid: string;
  /** IPs at which other hosts reach it; empty: they cannot. */
  readonly underlayIps: readonly string[];
  /** All IPs known of it, good for links or not. */
  readonly nearIps: readonly string[];
  /** Addresses it announces that no link may use: "127.0.0.1 is a loopback address". */
  readonly refused: readonly string[];
  readonly allowsPlain: boolean;
  readonly transports: readonly LinkTransport[];
  /** Why the host itself cannot carry vxlan, as its agent says; empty: it can, or does not say. */
  readonly vxlanMissing: string;
}

/** What cable facts are made from. */
export interface CableFactsInput {
  /** The host as it is registered. */
  readonly host: Host;
  /** What its agent said of itself when it was last greeted. */
  readonly hello: HelloResponse | undefined;
  readonly ready: boolean;
  /** Whether an "ip:port" is one of the hub's own. */
  readonly isOwnAddress: (address: string) => boolean;
}

/** What links may know and use of a host. Whatever a host says of itself, no other is ever pointed at itself, a cloud's metadata or the hub. */
export function cableFacts({ host, hello, ready, isOwnAddress }: CableFactsInput): CableFacts {
  const key = hello?.cableKeySha256;
  const told = host.underlaySet ? [] : (hello?.underlayAddresses ?? []);
  const announced = told.length > 0 ? told : host.underlayAddresses;
  const port = hello?.cablePort ?? 0;
  const judged = announced.map((ip) => ({ ip, refusal: refusalOf(ip, joinAddress(ip, port), isOwnAddress) }));
  const good = judged.filter(({ refusal }) => refusal === undefined).map(({ ip }) => ip);
  const refused = judged.flatMap(({ ip, refusal }) => (refusal === undefined ? [] : [`${ip} is ${refusal}`]));
  const reachable = port > 0 && !host.undialable ? good : [];
  return {
    ready,
    cableKeySha256: key === undefined || key.length === 0 ? undefined : key,
    cableAddresses: reachable.map((ip) => joinAddress(ip, port)),
    uid: host.uid,
    underlayIps: reachable.filter((each) => isIP(each) !== 0),
    nearIps: [...announced, ...host.addresses.map((address) => splitAddress(address).host)],
    refused,
    allowsPlain: hello?.allowsPlainLinks ?? false,
    transports: hello?.linkTransports ?? [],
    vxlanMissing: hello?.vxlanMissing ?? "",
  };
}

function refusalOf(ip: string, address: string, isOwnAddress: (address: string) => boolean): string | undefined {
  // A name is resolved, and what it means is judged, by the host that dials it.
  if (isDnsName(ip)) return undefined;
  return refusalOfUnderlayIp(ip) ?? (isOwnAddress(address) ? "an address of the hub itself" : undefined);
}

function joinAddress(ip: string, port: number): string {
  return isIPv6(ip) ? `[${ip}]:${port}` : `${ip}:${port}`;
}
