import { BlockList, isIPv4, isIPv6, SocketAddress } from "node:net";

interface Range {
  readonly why: string;
  readonly subnets: readonly (readonly [network: string, prefix: number])[];
}

// An IPv4-mapped IPv6 address counts as the IPv4 address it means: BlockList sees to that.
const ranges: readonly Range[] = [
  {
    why: "a loopback address, which leads back to the host itself",
    subnets: [
      ["127.0.0.0", 8],
      ["::1", 128],
    ],
  },
  {
    why: "the address of a cloud's metadata service",
    subnets: [
      ["169.254.169.254", 32],
      ["100.100.100.200", 32],
      ["192.0.0.192", 32],
      ["168.63.129.16", 32],
      ["fd00:ec2::254", 128],
    ],
  },
  {
    why: "a link-local address",
    subnets: [
      ["169.254.0.0", 16],
      ["fe80::", 10],
    ],
  },
  {
    why: "a multicast address",
    subnets: [
      ["224.0.0.0", 4],
      ["ff00::", 8],
    ],
  },
  {
    why: "an unspecified, reserved or translated address",
    subnets: [
      ["0.0.0.0", 8],
      ["240.0.0.0", 4],
      // Compatible, translated and 6to4 forms lead to IPv4 addresses by way of others.
      ["::", 96],
      ["64:ff9b::", 96],
      ["2002::", 16],
    ],
  },
];

const checks = ranges.map(({ why, subnets }) => {
  const list = new BlockList();
  for (const [network, prefix] of subnets) list.addSubnet(network, prefix, isIPv4(network) ? "ipv4" : "ipv6");
  return { why, list };
});

/**
 * Why an IP cannot be one at which hosts reach each other: completes "10.0.0.1 is ...". Undefined when it can.
 * Text that is no IP literal, or one with a zone, is refused too: names are never resolved.
 */
export function refusalOfUnderlayIp(ip: string): string | undefined {
  if (!isIPv4(ip) && (!isIPv6(ip) || ip.includes("%"))) return "not an IP address";
  const family = isIPv4(ip) ? "ipv4" : "ipv6";
  return checks.find(({ list }) => list.check(ip, family))?.why;
}

/** One text for all forms of an IP literal: IPv6 compressed, an IPv4-mapped address as the IPv4 address it means. */
export function canonicalIp(ip: string): string {
  const { address } = new SocketAddress({ address: ip, family: isIPv4(ip) ? "ipv4" : "ipv6" });
  return address.replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/, "");
}
