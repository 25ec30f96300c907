import { isIPv6 } from "node:net";

/**
 * Whom limits per address count together: an IPv4 address, or the /64 of an IPv6 address, as one machine has all of it (RFC 4291).
 * IPv4 addresses written as IPv6 ("::ffff:10.0.0.1") count as IPv4.
 */
export function addressGroup(ip: string | undefined): string {
  if (ip === undefined) return "";
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(ip)?.[1];
  if (mapped !== undefined) return mapped;
  if (!isIPv6(ip)) return ip;
  const [head = "", tail] = ip.replace(/%.*$/, "").split("::");
  const left = head === "" ? [] : head.split(":");
  const right = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - left.length - right.length);
  const groups = [...left, ...Array.from({ length: zeros }, () => "0"), ...right];
  return `${groups
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, "").toLowerCase())
    .join(":")}::/64`;
}
