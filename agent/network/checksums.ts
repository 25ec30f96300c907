import { bringUpQuietly } from "../../lib/net/quiet-device.js";
import { run } from "../host/exec.js";
import { findLink, type IpOptions, ipBatch } from "./ip.js";

/** Name of the device that finishes checksums, in the switch's namespace. */
const finisher = "zor-finish";
/** Frames it holds; as many as a tap does. */
const queueFrames = 1000;
const [udp, ipv4, ipv6] = [17, 0x0800, 0x86dd];
/** Types of VLAN tags, in tc's words. */
const tagNames = ["802.1Q", "802.1ad"] as const;

/**
 * Has datagrams of UDP leave an instance's port towards the guest with a finished checksum.
 *
 * Guests' kernels leave checksums to the device that sends the frame; here that is another guest's kernel, and the frame's metadata
 * tells it so. Who reads with a raw socket is not told unless it asks (PACKET_AUXDATA): old DHCP clients throw such datagrams away. So
 * datagrams go through an `ifb` device that can leave nothing to anybody, and come back to the port they were on their way to
 * (tc-mirred(8)). TCP is left alone, since its super-frames would be cut up, and so are super-frames of UDP.
 *
 * Open vSwitch removes a port's ingress qdisc when it takes the port up; it does not find this one, a clsact.
 * @throws {ToolError} when the kernel lacks one of clsact, u32 and mirred.
 */
export async function finishChecksums(
  port: string,
  { netns, signal, mtu }: IpOptions & { readonly mtu: number },
): Promise<void> {
  const commands = [
    ["qdisc", "replace", "dev", port, "clsact"],
    ["filter", "delete", "dev", port, "egress"],
    ...datagramFilters(mtu).map(({ protocol, matches }, index) => [
      ...["filter", "add", "dev", port, "egress", "protocol", protocol, "prio", String(index + 1), "u32"],
      ...matches.flatMap(({ width, value, mask, at }) => ["match", width, value, mask, "at", String(at)]),
      ...["action", "mirred", "egress", "redirect", "dev", finisher],
    ]),
  ];
  await run("tc", [...(netns === undefined ? [] : ["-n", netns]), "-batch", "-"], {
    signal,
    input: `${commands.map((words) => words.join(" ")).join("\n")}\n`,
  });
}

/** Makes the device that {@link finishChecksums} sends frames through. Idempotent. @throws {ToolError} when the kernel has no ifb. */
export async function ensureFinisher(where: IpOptions): Promise<void> {
  const exists = (await findLink(finisher, where)) !== undefined;
  const add = ["link", "add", finisher, "txqueuelen", String(queueFrames), "type", "ifb"];
  const set = ["link", "set", "dev", finisher];
  await ipBatch([...(exists ? [] : [add]), [...set, "addrgenmode", "none"]], where);
  await run("ethtool", ["-K", finisher, "tx-checksum-ip-generic", "off"], where);
  bringUpQuietly(where.netns, finisher);
}

/** One comparison of tc's u32 classifier, with offsets from the network header. */
interface Match {
  readonly width: "u8" | "u16";
  readonly value: string;
  readonly mask: string;
  readonly at: number;
}

interface FrameFilter {
  /** Of the ethernet header, in tc's words. */
  readonly protocol: string;
  readonly matches: readonly Match[];
}

/** What recognises UDP on its way out, in frames of up to this MTU, plain and tagged; pure. */
function datagramFilters(mtu: number): readonly FrameFilter[] {
  const plain = [
    { protocol: "ip", matches: matchIp(ipv4, 0, mtu) },
    { protocol: "ipv6", matches: matchIp(ipv6, 0, mtu) },
  ];
  const tagged = tagNames.flatMap((protocol) =>
    [ipv4, ipv6].flatMap((type) => [
      // The network header is where the kernel sets it for a frame from a packet socket: behind all tags; older ones: behind none.
      { protocol, matches: [matchType(type, -2), ...matchIp(type, 0, mtu)] },
      { protocol, matches: [matchType(type, 2), ...matchIp(type, 4, mtu)] },
    ]),
  );
  return [...plain, ...tagged];
}

/** IPv6 without extension headers: what has some is a fragment, which has a finished checksum. */
function matchIp(type: number, start: number, mtu: number): Match[] {
  return type === ipv4
    ? [matchProtocol(start + 9), matchLength(start + 2, mtu)]
    : [matchProtocol(start + 6), matchLength(start + 4, mtu)];
}

function matchType(value: number, at: number): Match {
  return { width: "u16", value: hex(value), mask: "0xffff", at };
}

function matchProtocol(at: number): Match {
  return { width: "u8", value: String(udp), mask: "0xff", at };
}

/** A length field below the next power of two above the MTU: longer ones are super-frames. */
function matchLength(at: number, mtu: number): Match {
  const limit = 2 ** Math.ceil(Math.log2(mtu + 1));
  return { width: "u16", value: "0", mask: hex(0x10000 - Math.min(limit, 0x10000)), at };
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
