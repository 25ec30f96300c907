import { findDevice } from "../../lib/net/device.js";
import { setUpQuietly } from "../../lib/net/quiet-device.js";
import type { PortSettings } from "../../proto/gen/zor/v1/port.js";
import { run } from "../host/exec.js";
import { tagHeadroomBytes } from "./bridge-operations.js";
import type { Bridges } from "./bridges.js";
import { findLink, ip, ipBatch, type Link } from "./ip.js";
import type { PlugOptions } from "./lans/plug.js";

/** A veth pair: one side is a port of a lan, the other an interface of the host or of a namespace on it. */
export interface LanPair {
  /** Name of the switch's side. */
  readonly port: string;
  /** Name of the other side. */
  readonly device: string;
  /** Net namespace of the other side; undefined: the host's own. */
  readonly netns: string | undefined;
  /** MAC address of the other side. */
  readonly mac: string;
  /** What marks both sides as ours, their alias. */
  readonly tag: string;
}

/** Where the switch's side is plugged in. */
export interface PairPlug {
  /** "": nowhere. */
  readonly lan: string;
  /** Resource name of the endpoint. */
  readonly name: string;
  /** MTU of the lan in bytes. */
  readonly mtu: number;
  readonly portSettings: PortSettings | undefined;
  /** What the other side has for certain; undefined: nobody knows. */
  readonly own?: PlugOptions["own"];
}

/** What {@link LanPairs} works with. */
interface LanPairsOptions {
  /** Net namespace of the switch. */
  readonly netns: string;
  readonly lans: Pick<Bridges, "plug" | "unplug" | "find">;
  /** The switch takes UDP super-frames. */
  readonly udpSuperFrames: boolean;
}

/** Makes and removes veth pairs between lans and the host. */
export class LanPairs {
  readonly #options: LanPairsOptions;

  constructor(options: LanPairsOptions) {
    this.#options = options;
  }

  /** Net namespace of the switch. */
  get netns(): string {
    return this.#options.netns;
  }

  /** Makes a pair unless it is there; a side alone is replaced. Resolves to the other side as it was found, unless the pair is new. */
  async ensure(pair: LanPair): Promise<Link | undefined> {
    const { port, device, netns, mac, tag } = pair;
    const outside = { netns: this.netns };
    const [outer, inner] = await Promise.all([findLink(port, outside), findLink(device, { netns })]);
    if (outer !== undefined && inner !== undefined && inner.link_index === outer.ifindex) {
      // The agent may have been killed in the middle.
      if (inner.ifalias !== tag) await ip(["link", "set", "dev", device, "alias", tag], { netns });
      return inner;
    }
    if (outer !== undefined) await ip(["link", "delete", "dev", port], outside);
    // Deleting one side deletes the other; each may have had another peer.
    if (inner !== undefined && findDevice(netns, device) !== undefined) {
      await ip(["link", "delete", "dev", device], { netns });
    }
    const set = ["link", "set", "dev", port];
    const peer = ["peer", "name", device, "address", mac, "netns", netns ?? String(process.pid)];
    await ipBatch(
      [
        ["link", "add", "name", port, "type", "veth", ...peer],
        [...set, "alias", tag],
        [...set, "addrgenmode", "none"],
      ],
      outside,
    );
    await ip(["link", "set", "dev", device, "alias", tag], { netns });
    return undefined;
  }

  /** Sets the switch's side up, unless that is not wanted, and makes the other one such that the switch takes what it sends. */
  async prepare({ port, device, netns }: LanPair, mtu: number, isUp = true): Promise<void> {
    await ip(["link", "set", "dev", port, "mtu", String(mtu + tagHeadroomBytes)], { netns: this.netns });
    if (isUp) setUpQuietly(this.netns, port);
    if (this.#options.udpSuperFrames) return;
    await run("ethtool", ["-K", device, "tx-udp-segmentation", "off"], { netns });
  }

  /** Plugs the switch's side in, or takes it out. */
  async plug(port: string, { lan, name, portSettings, own }: PairPlug): Promise<void> {
    if (lan === "") await this.#options.lans.unplug(port);
    else await this.#options.lans.plug({ lan, port, endpoint: name, settings: portSettings, own });
  }

  /** Whether the switch's side is there, and where it should be. Costs a system call. */
  isPlugged(port: string, lan: string): boolean {
    const isIn = lan === "" || this.#options.lans.find(lan)?.ports.some((each) => each.port === port) === true;
    return isIn && findDevice(this.netns, port) !== undefined;
  }

  /** Unplugs and removes a pair. Idempotent; what bears another tag stays. */
  async remove(port: string, tag: string): Promise<void> {
    await this.#options.lans.unplug(port);
    const there = findDevice(this.netns, port) !== undefined;
    const link = there ? await findLink(port, { netns: this.netns }) : undefined;
    // Deleting one side deletes the other.
    if (link?.ifalias === tag) await ip(["link", "delete", "dev", port], { netns: this.netns });
  }
}
