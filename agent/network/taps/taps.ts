import { readFileSync, writeFileSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { join } from "node:path";
import { failedPrecondition } from "../../../lib/errors.js";
import { findDevice } from "../../../lib/net/device.js";
import { visitNetns } from "../../../lib/net/visit-netns.js";
import type { PortSettings } from "../../../proto/gen/zor/v1/port.js";
import { runJson } from "../../host/exec.js";
import { findLink, ip, ipBatch, type Link } from "../ip.js";
import type { LanPair, LanPairs } from "../lan-pairs.js";
import type { EndWires } from "../wires/wires.js";
import { toTapMac, toTapPortName } from "../names.js";
import { destinations } from "../nat/host-addresses.js";
import { overlaps } from "../nat/subnet.js";

/** What a tap should be, checked. */
export interface TapConfig {
  readonly uid: string;
  /** Resource name, the endpoint in its lan. */
  readonly name: string;
  /** "": in no lan. */
  readonly lan: string;
  /** In bytes. */
  readonly mtu: number;
  readonly device: string;
  /** "": the host's own. */
  readonly netns: string;
  readonly addresses: readonly string[];
  /** "": one that follows from the uid. */
  readonly mac: string;
  readonly portSettings: PortSettings | undefined;
}

/** The taps of a host, as their kind uses them. */
export interface TapNetworks {
  /** Makes a tap or brings it to a configuration. Idempotent. @throws {ZorError} */
  ensure(config: TapConfig): Promise<void>;
  /** Removes a tap. Idempotent. */
  remove(config: Pick<TapConfig, "uid" | "name">): Promise<void>;
  /** What of a tap is missing, for people; "": nothing. Costs a few system calls. */
  missing(config: TapConfig): string;
  /** @throws {ZorError} FAILED_PRECONDITION when the namespace cannot have it. */
  examine(config: TapConfig): Promise<void>;
}

/** MAC address and port of a tap. */
export function tapFacts({ uid, mac }: Pick<TapConfig, "uid" | "mac">): {
  readonly mac: string;
  readonly port: string;
} {
  return { mac: mac === "" ? toTapMac(uid) : mac, port: toTapPortName(uid) };
}

/** NSFS_MAGIC of linux/magic.h: what a mounted namespace file is on. */
const nsfsMagic = 0x6e736673;

/** The taps of a real host: veth pairs, one side in the lan, the other where programs are. */
export class Taps implements TapNetworks {
  readonly #agentUid: string;
  readonly #pairs: LanPairs;
  readonly #wires: EndWires;

  constructor(options: { readonly agentUid: string; readonly pairs: LanPairs; readonly wires: EndWires }) {
    this.#agentUid = options.agentUid;
    this.#pairs = options.pairs;
    this.#wires = options.wires;
  }

  async examine({ uid, name, device, netns, addresses }: TapConfig): Promise<void> {
    const where = place(netns);
    await assertThere(name, netns);
    const link = await findLink(device, where);
    if (link !== undefined && link.ifalias !== this.#tagOf(uid)) {
      throw failedPrecondition(
        "DEVICE_TAKEN",
        name,
        `${name}: there is an interface ${device} already; choose another name`,
      );
    }
    if (link !== undefined) return;
    await this.#assertFree(name, netns, addresses);
  }

  async ensure(config: TapConfig): Promise<void> {
    const { uid, name, mtu, device, netns } = config;
    await assertThere(name, netns);
    const where = place(netns);
    const found = await findLink(device, where);
    if (found !== undefined && found.ifalias !== this.#tagOf(uid)) {
      throw failedPrecondition(
        "DEVICE_TAKEN",
        name,
        `${name}: ${device} is an interface that this agent did not make; remove it`,
      );
    }
    if (config.lan === "") this.#wires.leaveLan(name);
    else this.#wires.enterLan(name, config.lan);
    const pair = this.#pairOf(config);
    const before = await this.#pairs.ensure(pair);
    // What is in no lan has the carrier that its wire gives it.
    await this.#pairs.prepare(pair, mtu, config.lan !== "");
    await ip(["link", "set", "dev", device, "mtu", String(mtu)], where);
    const own = { mac: pair.mac, addresses: config.addresses };
    await setAddresses(config, before?.addr_info ?? []);
    await this.#pairs.plug(pair.port, { ...config, own });
    const setMtu = async (bytes: number): Promise<void> => {
      await this.#pairs.prepare(pair, bytes, false);
      await ip(["link", "set", "dev", device, "mtu", String(bytes)], where);
    };
    await this.#wires.appeared(name, { port: pair.port, mtu, isVeth: true, setMtu });
  }

  async remove({ uid, name }: Pick<TapConfig, "uid" | "name">): Promise<void> {
    await this.#wires.vanished(name);
    await this.#pairs.remove(toTapPortName(uid), this.#tagOf(uid));
  }

  missing(config: TapConfig): string {
    const { lan, device, netns } = config;
    if (findDevice(place(netns).netns, device) === undefined) return `interface ${device} is gone`;
    return this.#pairs.isPlugged(tapFacts(config).port, lan) ? "" : "its port in the lan is gone";
  }

  #pairOf(config: TapConfig): LanPair {
    const { uid, device, netns } = config;
    return { ...tapFacts(config), device, ...place(netns), tag: this.#tagOf(uid) };
  }

  async #assertFree(name: string, netns: string, addresses: readonly string[]): Promise<void> {
    const show = [...(netns === "" ? [] : ["-n", netns]), "-j", "route", "show", "table", "all"];
    const routes = await Promise.all([runJson("ip", ["-4", ...show]), runJson("ip", ["-6", ...show])]);
    const taken = routes
      .flatMap(destinations)
      .find((route) => addresses.some((address) => !address.startsWith("fe80:") && overlaps(route, address)));
    if (taken === undefined) return;
    const message = `${name}: there is a route to ${taken} already; choose other addresses`;
    throw failedPrecondition("SUBNET_ROUTED", name, message);
  }

  #tagOf(uid: string): string {
    return `zor-agent=${this.#agentUid} zor-tap=${uid}`;
  }
}

function place(netns: string): { readonly netns: string | undefined } {
  return { netns: netns === "" ? undefined : netns };
}

async function assertThere(name: string, netns: string): Promise<void> {
  if (netns === "") return;
  const there = (await statfs(join("/run/netns", netns)).catch(() => undefined))?.type === nsfsMagic;
  if (!there)
    throw failedPrecondition(
      "NETNS_MISSING",
      name,
      `${name}: there is no net namespace ${netns}; make it with: ip netns add ${netns}`,
    );
}

/**
 * Gives an interface exactly these addresses. What routers and others in the lab announce changes nothing where it is: whoever makes a tap
 * says all that it has.
 */
async function setAddresses(
  { device, netns, addresses }: TapConfig,
  present: NonNullable<Link["addr_info"]>,
): Promise<void> {
  const where = place(netns);
  const text = ({ local = "", prefixlen = 0 }: (typeof present)[number]): string => `${local}/${prefixlen}`;
  const dev = ["dev", device];
  const stale = present.filter((each) => each.scope !== "link" && !addresses.includes(text(each)));
  await ipBatch(
    stale.map((each) => ["address", "delete", text(each), ...dev]),
    where,
  );
  visitNetns(where.netns, () =>
    makeDeaf(
      device,
      addresses.some((address) => address.includes(":")),
    ),
  );
  await ipBatch(
    [
      ["link", "set", ...dev, "up"],
      ...addresses.map((each) => ["address", "replace", each, ...dev, ...(each.includes(":") ? ["nodad"] : [])]),
    ],
    where,
  );
}

/** What a tap does not take from the lab, nor pass on (ip-sysctl.rst of the kernel's documentation). */
const deaf = [
  "ipv6/conf/*/accept_ra=0",
  "ipv6/conf/*/autoconf=0",
  "ipv6/conf/*/accept_redirects=0",
  "ipv6/conf/*/forwarding=0",
  "ipv4/conf/*/accept_redirects=0",
  "ipv4/conf/*/forwarding=0",
  "ipv4/conf/*/arp_ignore=1",
] as const;

/** In the thread's namespace. What is set already is left alone: to switch IPv6 off takes away addresses. */
function makeDeaf(device: string, hasIpv6: boolean): void {
  for (const setting of [...deaf, `ipv6/conf/*/disable_ipv6=${hasIpv6 ? "0" : "1"}`]) {
    const [key = "", value = ""] = setting.split("=");
    const path = join("/proc/sys/net", key.replace("*", device));
    try {
      if (readFileSync(path, "utf8").trim() !== value) writeFileSync(path, value);
    } catch (error) {
      // The kernel has no IPv6, or the device is gone, as the next command will tell.
      if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
    }
  }
}
