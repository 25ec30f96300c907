import { BlockList, isIP } from "node:net";
import { invalidArgument } from "../../lib/errors.js";
import { quote } from "../../lib/names.js";
import { run, runJson } from "../host/exec.js";

/** Where and how long to run `ip`. */
export interface IpOptions {
  /** Net namespace by name; undefined: the agent's own. */
  readonly netns?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** One link as `ip -j -d address show` tells it; only what is used. */
export interface Link {
  readonly ifname: string;
  readonly ifindex: number;
  readonly ifalias?: string;
  readonly address?: string;
  readonly mtu: number;
  readonly flags: readonly string[];
  /** Index of the veth peer, and whether it is in another namespace. */
  readonly link_index?: number;
  readonly addr_info?: readonly { readonly local?: string; readonly prefixlen?: number; readonly scope?: string }[];
  readonly linkinfo?: { readonly info_kind?: string; readonly info_data?: { readonly multi_queue?: boolean } };
}

/** Runs `ip`. @throws {ToolError} */
export async function ip(argv: readonly string[], options: IpOptions): Promise<void> {
  await run("ip", [...inNetns(options.netns), ...argv], { signal: options.signal });
}

/** Runs several `ip` commands in one process; the first that fails ends it. Words must have been checked: a blank splits. @throws {ToolError} */
export async function ipBatch(commands: readonly (readonly string[])[], options: IpOptions): Promise<void> {
  if (commands.length === 0) return;
  for (const word of commands.flat()) {
    if (/[^\S ]|[#"'\\]/.test(word) || word === "") throw new Error(`unsafe word for ip -batch: ${quote(word)}`);
  }
  const input = `${commands.map((command) => command.map(toWord).join(" ")).join("\n")}\n`;
  await run("ip", [...inNetns(options.netns), "-batch", "-"], { signal: options.signal, input });
}

/** All links of a namespace with their addresses. @throws {ToolError} */
export async function listLinks(options: IpOptions): Promise<readonly Link[]> {
  const links = await runJson("ip", [...inNetns(options.netns), "-j", "-d", "address", "show"], {
    signal: options.signal,
  });
  return toLinks(links);
}

/** iproute2 prints an array of objects; filtered output may hold empty ones. */
function toLinks(links: unknown): readonly Link[] {
  return ((links ?? []) as Partial<Link>[]).filter((link): link is Link => link.ifname !== undefined);
}

/** One link of a namespace by name. @throws {ToolError} */
export async function findLink(name: string, options: IpOptions): Promise<Link | undefined> {
  const show = ["-j", "-d", "address", "show", "dev", name];
  const links = await runJson("ip", [...inNetns(options.netns), ...show], {
    signal: options.signal,
    // What it ends with when there is no such device.
    acceptedExitCodes: [0, 1],
  });
  return toLinks(links).find((link) => link.ifname === name);
}

function toWord(word: string): string {
  return word.includes(" ") ? `"${word}"` : word;
}

function inNetns(netns: string | undefined): string[] {
  return netns === undefined ? [] : ["-n", netns];
}

/** Checks the name of an interface: one that the kernel takes and no tool mistakes for an option. @throws {ZorError} INVALID_ARGUMENT */
export function parseInterfaceName(field: string, name: string): string {
  if (/^[A-Za-z0-9][A-Za-z0-9_.-]{0,14}$/.test(name) && name !== "lo" && name !== "all" && name !== "default")
    return name;
  throw invalidArgument(
    field,
    `${quote(name)} is not a valid interface name: use 1 to 15 letters, digits, "-", "_" or ".", starting with a letter or digit`,
  );
}

/** Checks a MAC address that a machine may have and returns it in lower case. @throws {ZorError} INVALID_ARGUMENT */
export function parseMac(field: string, mac: string): string {
  const multicast = Number.parseInt(mac.slice(0, 2), 16) % 2 === 1;
  if (/^([0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}$/.test(mac) && !multicast && !/^(00:){5}00$/.test(mac)) {
    return mac.toLowerCase();
  }
  throw invalidArgument(field, `${quote(mac)} is not a unicast MAC address such as "02:00:00:00:00:01"`);
}

/** Addresses that no interface of a machine can have: unspecified, loopback, multicast and broadcast. */
const unusable = new BlockList();
unusable.addSubnet("0.0.0.0", 8, "ipv4");
unusable.addSubnet("127.0.0.0", 8, "ipv4");
unusable.addSubnet("224.0.0.0", 4, "ipv4");
unusable.addAddress("255.255.255.255", "ipv4");
unusable.addSubnet("::", 127, "ipv6");
unusable.addSubnet("ff00::", 8, "ipv6");

/** Checks an address with prefix length that an interface may have. @throws {ZorError} INVALID_ARGUMENT */
export function parseCidr(field: string, cidr: string): string {
  const [address = "", prefix = "", ...rest] = cidr.split("/");
  const version = isIP(address);
  const limit = version === 4 ? 32 : 128;
  // A zone ("fe80::1%eth0") passes isIP but is no address of an interface.
  if (
    rest.length === 0 &&
    version !== 0 &&
    !address.includes("%") &&
    /^\d{1,3}$/.test(prefix) &&
    Number(prefix) <= limit
  ) {
    if (!unusable.check(address, version === 4 ? "ipv4" : "ipv6")) return cidr;
    throw invalidArgument(field, `${quote(cidr)} is an address that no interface can have; use a unicast address`);
  }
  throw invalidArgument(field, `${quote(cidr)} is not an address with prefix length such as "10.0.0.1/24"`);
}
