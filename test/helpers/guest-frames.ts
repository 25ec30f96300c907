/** What the frames of a guest say of where they come from. */
export interface FrameOrigin {
  /** "020000616161" */
  readonly mac: string;
  /** "10.80.0.97" */
  readonly ipv4: string;
  /** In hexadecimal digits, all 32 of them. */
  readonly ipv6: string;
}

const everybody = "ffffffffffff";

/** Frames as a guest sends them, made by hand, so that any of them can lie; `tags` are in hexadecimal digits. */
export function framesOf({ mac, ipv4, ipv6 }: FrameOrigin, tags = "") {
  const hexIpv4 = toHex(ipv4);
  const of = (ethertype: string, payload: string, source = mac): Buffer =>
    Buffer.from(`${everybody}${source}${tags}${ethertype}${payload}`, "hex");
  const arp = (sender = mac) =>
    of("0806", `0001080006040001${sender}${hexIpv4}${"00".repeat(6)}0a500063`.padEnd(92, "0"));
  const datagram = (source: string, ports: string) =>
    of("0800", `4500002e0000400040110000${source}0a500063${ports}001a0000${"5a".repeat(18)}`);
  const inIpv6 = (source: string, protocol: string, payload: string) => {
    const length = (payload.length / 2).toString(16).padStart(4, "0");
    return of("86dd", `60000000${length}${protocol}ff${source}${"ff02"}${"0".repeat(26)}01${payload}`);
  };
  const nobody = "0".repeat(32);
  return {
    arp,
    datagram: datagram(hexIpv4, "13881389"),
    dhcp: datagram("00000000", "00440043"),
    datagram6: inIpv6(ipv6, "11", `1388138900120000${"5a".repeat(10)}`),
    /** Asks whether somebody has an address that it is about to take. */
    detection: inIpv6(nobody, "3a", `8700000000000000${ipv6}`),
    /** Tells whose an address is, from a link-local one. */
    advertisement: inIpv6(`fe80${"0".repeat(27)}7`, "3a", `8800000020000000${ipv6}0201${mac}`),
    other: of("88b5", "5a".repeat(46)),
  };
}

function toHex(ipv4: string): string {
  return ipv4
    .split(".")
    .map((part) => Number(part).toString(16).padStart(2, "0"))
    .join("");
}
