import { isIP, isIPv4 } from "node:net";

/** An address that somebody has by DHCP. */
export interface Lease {
  readonly address: string;
  /** MAC address; of IPv6 the identifier of the client. */
  readonly mac: string;
  /** "": none. */
  readonly name: string;
  /** Undefined: it never ends. */
  readonly expireTime: Date | undefined;
}

/**
 * The leases of a file of dnsmasq's, by address: "EXPIRY MAC ADDRESS NAME CLIENT" and, for IPv6, "EXPIRY IAID ADDRESS NAME DUID". Lines that are
 * none are left out: guests say what is in them, and the file may be read while it is written. Pure.
 */
export function parseLeases(text: string): readonly Lease[] {
  const leases = text.split("\n").flatMap((line): Lease[] => {
    const [expiry = "", id = "", address = "", name = "", client = ""] = line.split(" ");
    if (!/^\d{1,12}$/.test(expiry) || isIP(address) === 0) return [];
    const mac = isIPv4(address) ? id : client;
    if (!/^[0-9a-f]{1,2}([-:][0-9a-f]{1,2}){0,129}$/i.test(mac)) return [];
    const seconds = Number(expiry);
    const isName = /^[A-Za-z0-9-]{1,63}$/.test(name);
    const expireTime = seconds === 0 ? undefined : new Date(seconds * 1000);
    return [{ address, mac: mac.toLowerCase(), name: isName ? name : "", expireTime }];
  });
  return leases.sort((left, right) => compare(sortKey(left), sortKey(right)));
}

/** The text of a file of leases without those that are somebody's. Pure. */
export function withoutLeases(text: string, isGone: (lease: Lease) => boolean): string {
  const lines = text.split("\n");
  return lines.filter((line) => !parseLeases(line).some(isGone)).join("\n");
}

function compare(left: string, right: string): number {
  return left < right ? -1 : Number(left > right);
}

function sortKey({ address }: Lease): string {
  return isIPv4(address)
    ? `4${address
        .split(".")
        .map((part) => part.padStart(3, "0"))
        .join(".")}`
    : `6${address}`;
}
