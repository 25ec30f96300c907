import ipaddr from "ipaddr.js";

/** Number of leading bits that two IP literals share; 0 when they are of different families, or one is no literal. Pure. */
export function sharedPrefixBits(left: string, right: string): number {
  const [a, b] = [bitsOf(left), bitsOf(right)];
  if (a.length !== b.length) return 0;
  let bits = 0;
  while (bits < a.length && a[bits] === b[bits]) bits += 1;
  return bits;
}

/** The bits of an IP literal as text, 32 or 128; empty when it is none. */
function bitsOf(ip: string): string {
  // Of IPv4 only the form with four parts, of IPv6 none that ends in one.
  const isLiteral = ip.includes(":")
    ? !ip.includes(".") && ipaddr.IPv6.isValid(ip)
    : ipaddr.IPv4.isValidFourPartDecimal(ip);
  if (!isLiteral) return "";
  return ipaddr
    .parse(ip)
    .toByteArray()
    .map((byte) => byte.toString(2).padStart(8, "0"))
    .join("");
}
