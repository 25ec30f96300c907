import { canonicalIp } from "../../../lib/underlay-address.js";

/** An address that a frame says somebody has. */
export interface SaidAddress {
  /** IPv4 or IPv6, in its one text. */
  readonly address: string;
  readonly mac: string;
}

const [etherArp, etherIpv6] = [0x0806, 0x86dd];
const arpBytes = 42;
/** An IPv6 header behind that of Ethernet, and a neighbour message without options. */
const neighbourBytes = 14 + 40 + 24;
const [solicitation, advertisement] = [135, 136];

/** Most bytes of a frame that are read. */
export const readBytes = neighbourBytes;

/**
 * The address that an ARP or neighbour discovery frame says its sender has (RFC 826, 4861, 4862); undefined: none, or none that one can
 * have. An IPv6 address that is only tried out counts: who tries it has it unless another answers. Pure.
 */
export function saidAddress(frame: Buffer): SaidAddress | undefined {
  if (frame.length < 14) return undefined;
  const type = frame.readUInt16BE(12);
  if (type === etherArp) return arpSender(frame);
  return type === etherIpv6 ? neighbour(frame) : undefined;
}

function arpSender(frame: Buffer): SaidAddress | undefined {
  // Ethernet and IPv4, with addresses of six and four bytes; a request or an answer.
  if (frame.length < arpBytes || frame.readUInt32BE(14) !== 0x0001_0800 || frame.readUInt16BE(18) !== 0x0604)
    return undefined;
  const operation = frame.readUInt16BE(20);
  const [first = 0] = frame.subarray(28, 32);
  // None (a probe says 0.0.0.0), loopback, or one of a group.
  if ((operation !== 1 && operation !== 2) || first === 0 || first === 127 || first >= 224) return undefined;
  const mac = macOf(frame.subarray(22, 28));
  return mac === undefined ? undefined : { address: frame.subarray(28, 32).join("."), mac };
}

function neighbour(frame: Buffer): SaidAddress | undefined {
  // Routers count the hop limit down: 255 comes from the link itself.
  if (frame.length < neighbourBytes || frame[20] !== 58 || frame[21] !== 255) return undefined;
  const type = frame[54];
  const source = frame.subarray(22, 38);
  const target = frame.subarray(62, 78);
  const isTrial = type === solicitation && source.every((byte) => byte === 0);
  if (type !== solicitation && type !== advertisement) return undefined;
  const said = type === advertisement || isTrial ? target : source;
  const mac = macOf(frame.subarray(6, 12));
  return mac === undefined || !isUnicast(said) ? undefined : { address: ipv6Text(said), mac };
}

/** Neither of a group, nor unspecified, loopback or an IPv4 address in disguise: those begin with 80 zero bits. */
function isUnicast(address: Buffer): boolean {
  return address[0] !== 0xff && !address.subarray(0, 10).every((byte) => byte === 0);
}

function ipv6Text(address: Buffer): string {
  const parts = Array.from({ length: 8 }, (_, index) => address.readUInt16BE(index * 2).toString(16));
  return canonicalIp(parts.join(":"));
}

function macOf(bytes: Buffer): string | undefined {
  const isGroup = ((bytes[0] ?? 0) & 1) === 1;
  if (isGroup || bytes.every((byte) => byte === 0)) return undefined;
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(":");
}
