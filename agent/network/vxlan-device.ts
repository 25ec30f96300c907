import { createHash } from "node:crypto";
import { isIPv6 } from "node:net";
import { setUpQuietly } from "../../lib/net/quiet-device.js";
import { run, runJson } from "../host/exec.js";
import { toldOf } from "../host/told.js";
import { ip } from "./ip.js";

/** UDP port of VXLAN (RFC 7348). */
export const vxlanPort = 4789;

/** Where kernel vxlan devices are made and where they go. */
export interface VxlanPlace {
  /** Net namespace of the hosts' addresses; undefined: the agent's own. */
  readonly underlayNetns: string | undefined;
  /** Net namespace of the switch; undefined: the agent's own. */
  readonly netns: string | undefined;
}

/** A device as the kernel has it. */
export interface VxlanDevice {
  readonly name: string;
  readonly ifindex: number;
  readonly up: boolean;
  readonly vxlanId: number;
  /** IP address of the other host. */
  readonly remote: string;
  /** UDP port of both ends. */
  readonly dstPort: number;
  /** IP address that it speaks from; "": that of the route. */
  readonly local: string;
  readonly rxFrames: number;
  readonly rxBytes: number;
  readonly txFrames: number;
  readonly txBytes: number;
  readonly droppedFrames: number;
}

/** What a device is made with. */
export interface NewVxlan {
  readonly name: string;
  readonly vxlanId: number;
  readonly remote: string;
  /** Default: {@link vxlanPort}. */
  readonly dstPort?: number;
  /** IP address to speak from; default: that of the route. */
  readonly local?: string;
}

/**
 * Makes a device that speaks from the underlay and lies in the switch's namespace, up; an earlier one of that name is replaced.
 * Nothing is left on failure. @throws {ToolError}
 */
export async function makeVxlan(device: NewVxlan, { underlayNetns, netns }: VxlanPlace): Promise<void> {
  const { name, vxlanId, remote, dstPort = vxlanPort, local = "" } = device;
  await removeVxlan(name, { underlayNetns, netns });
  const family = isIPv6(remote) ? ["udp6zerocsumrx"] : [];
  const kind = ["type", "vxlan", "id", String(vxlanId), "remote", remote, "dstport", String(dstPort), "nolearning"];
  const from = local === "" ? [] : ["local", local];
  await ip(["link", "add", name, ...kind, ...from, ...family], { netns: underlayNetns });
  try {
    // The device goes on to speak from where it was made. A namespace without a name is this process's own.
    if (netns !== underlayNetns)
      await ip(["link", "set", name, "netns", netns ?? String(process.pid)], { netns: underlayNetns });
    await ip(["link", "set", name, "address", macOf(name), "addrgenmode", "none"], { netns });
    setUpQuietly(netns, name);
  } catch (error) {
    await removeVxlan(name, { underlayNetns, netns });
    throw error;
  }
}

/** Removes a device, wherever it was left. Idempotent. */
export async function removeVxlan(name: string, { underlayNetns, netns }: VxlanPlace): Promise<void> {
  for (const place of new Set([netns, underlayNetns])) {
    await ip(["link", "delete", name], { netns: place }).catch(() => undefined);
  }
}

interface ShownLink {
  readonly ifname?: string;
  readonly ifindex?: number;
  readonly flags?: readonly string[];
  readonly linkinfo?: {
    readonly info_data?: {
      readonly id?: number;
      readonly port?: number;
      readonly remote?: string;
      readonly remote6?: string;
      readonly local?: string;
      readonly local6?: string;
    };
  };
  readonly stats64?: Readonly<Record<"rx" | "tx", { packets: number; bytes: number; dropped: number; errors: number }>>;
}

/** All vxlan devices of the switch's namespace. @throws {ToolError} */
export async function listVxlan(netns: string | undefined): Promise<readonly VxlanDevice[]> {
  const there = netns === undefined ? [] : ["-n", netns];
  const shown = await runJson("ip", [...there, "-j", "-d", "-s", "link", "show", "type", "vxlan"], {});
  // iproute2 prints an array of objects; filtered output may hold empty ones.
  return ((shown ?? []) as ShownLink[]).flatMap(({ ifname, ifindex, flags = [], linkinfo, stats64 }) => {
    const { id, port, remote, remote6, local, local6 } = linkinfo?.info_data ?? {};
    if (ifname === undefined || ifindex === undefined || id === undefined) return [];
    return {
      name: ifname,
      ifindex,
      up: flags.includes("UP"),
      vxlanId: id,
      remote: remote ?? remote6 ?? "",
      dstPort: port ?? vxlanPort,
      local: local ?? local6 ?? "",
      rxFrames: stats64?.rx.packets ?? 0,
      rxBytes: stats64?.rx.bytes ?? 0,
      txFrames: stats64?.tx.packets ?? 0,
      txBytes: stats64?.tx.bytes ?? 0,
      droppedFrames: (stats64?.tx.dropped ?? 0) + (stats64?.tx.errors ?? 0),
    };
  });
}

/** The first of the addresses to which there is a route; the first of all when there is none to any. */
export async function pickRemote(addresses: readonly string[], underlayNetns: string | undefined): Promise<string> {
  const there = underlayNetns === undefined ? [] : ["-n", underlayNetns];
  for (const address of addresses) {
    const routed = await run("ip", [...there, "route", "get", address]).then(
      () => true,
      () => false,
    );
    if (routed) return address;
  }
  return addresses[0] ?? "";
}

/** Why vxlan devices cannot be made here, for people; empty when they can. Tried with a device that is gone at once. */
export async function whyNoVxlan(underlayNetns: string | undefined): Promise<string> {
  const place = { underlayNetns, netns: underlayNetns };
  const name = `zv-try${process.pid}`;
  try {
    await ip(["link", "add", name, "type", "vxlan", "id", "1", "remote", "192.0.2.1", "dstport", String(vxlanPort)], {
      netns: underlayNetns,
    });
    return "";
  } catch (error) {
    return toldAsMissing(toldOf(error));
  } finally {
    await removeVxlan(name, place);
  }
}

/** What iproute2 says of a device that could not be made, as what is missing. */
export function toldAsMissing(said: string): string {
  if (/Unknown device type|not supported/i.test(said)) return "its kernel has no vxlan (module vxlan)";
  if (/not permitted/i.test(said)) return "its agent may not make vxlan devices (capability CAP_NET_ADMIN)";
  return `its kernel refuses vxlan devices: ${said}`;
}

/** A device that is made anew keeps its address: neighbours remember it. */
function macOf(name: string): string {
  return createHash("sha256")
    .update(name)
    .digest("hex")
    .slice(0, 10)
    .replace(/^/, "02")
    .replace(/(..)(?=.)/g, "$1:");
}
