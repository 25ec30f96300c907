import { isIPv4, isIPv6 } from "node:net";

/** Number of leading bits that two IP literals share; 0 when they are of different families, or one is no literal. */
export function sharedPrefixBits(left: string, right: string): number {
  const [a, b] = [bitsOf(left), bitsOf(right)];
  if (a.length !== b.length) return 0;
  let bits = 0;
  while (bits < a.length && a[bits] === b[bits]) bits += 1;
  return bits;
}

/** The bits of an IP literal as text, 32 or 128; empty when it is none. */
function bitsOf(ip: string): string {
  if (isIPv4(ip))
    return ip
      .split(".")
      .map((part) => bitText(Number(part), 8))
      .join("");
  if (!isIPv6(ip) || ip.includes(".")) return "";
  const [front = [], back = []] = (ip.split("%")[0] ?? "")
    .split("::")
    .map((part) => (part === "" ? [] : part.split(":")));
  const gap = Array.from({ length: 8 - front.length - back.length }, () => "0");
  return [...front, ...gap, ...back].map((group) => bitText(Number.parseInt(group, 16), 16)).join("");
}

function bitText(value: number, width: number): string {
  return value.toString(2).padStart(width, "0");
}
