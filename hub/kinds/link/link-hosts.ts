import { isIP, isIPv6 } from "node:net";
import { isDnsName } from "../../../lib/socket-address.js";
import { refusalOfUnderlayIp } from "../../../lib/underlay-address.js";
import type { Fleet, Greeting } from "../../fleet/fleet.js";
import { splitAddress } from "../../kit/split-address.js";
import type { LinkHost } from "./link-host.js";

/** The hosts of links. */
export class LinkHosts {
  readonly #fleet: Pick<Fleet, "findGreeting">;
  readonly #isOwnAddress: (address: string) => boolean;

  /** @param isOwnAddress whether an "ip:port" is one of the hub's own. */
  constructor(fleet: Pick<Fleet, "findGreeting">, isOwnAddress: (address: string) => boolean) {
    this.#fleet = fleet;
    this.#isOwnAddress = isOwnAddress;
  }

  /** What links need to know of a host; undefined when it is not registered or has never joined. */
  find(id: string): LinkHost | undefined {
    const greeting = this.#fleet.findGreeting(id);
    return greeting === undefined ? undefined : toLinkHost(greeting, this.#isOwnAddress);
  }
}

/** What links may know and use of a host. Whatever a host says of itself, no other is ever pointed at itself, a cloud's metadata or the hub. */
function toLinkHost({ host, hello, ready }: Greeting, isOwnAddress: (address: string) => boolean): LinkHost {
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
    nearIps: [...announced, ...(host.via === "" ? host.addresses.map((address) => splitAddress(address).host) : [])],
    via: host.via,
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
