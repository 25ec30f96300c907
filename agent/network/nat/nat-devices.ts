import { findDevice } from "../../../lib/net/device.js";
import { setUpQuietly } from "../../../lib/net/quiet-device.js";
import { run } from "../../host/exec.js";
import { tagHeadroomBytes } from "../bridge-operations.js";
import type { Bridges } from "../bridges.js";
import { findLink, ip, ipBatch } from "../ip.js";
import { toNatMac, toNatPortName } from "../names.js";
import { insideDevice, type NatConfig, outsideDevice } from "./nat-config.js";
import { outside } from "./subnet.js";

/** The interfaces of nats: a veth pair into the lan, and the tap that leads out. */
export class NatDevices {
  readonly #netns: string;
  readonly #agentUid: string;
  readonly #lans: Pick<Bridges, "plug" | "unplug" | "find">;
  readonly #udpSuperFrames: boolean;

  /** @param options.netns net namespace of the switch. */
  constructor(options: {
    readonly netns: string;
    readonly agentUid: string;
    readonly lans: Pick<Bridges, "plug" | "unplug" | "find">;
    /** The switch takes UDP super-frames. */
    readonly udpSuperFrames: boolean;
  }) {
    this.#netns = options.netns;
    this.#agentUid = options.agentUid;
    this.#lans = options.lans;
    this.#udpSuperFrames = options.udpSuperFrames;
  }

  /** Name of the switch's side. */
  portOf(uid: string): string {
    return toNatPortName(uid);
  }

  /** Makes the pair with the gateway's addresses on the nat's side. Idempotent. */
  async ensureInside({ uid, mtu, subnet, subnet6 }: NatConfig, netns: string): Promise<void> {
    const port = this.portOf(uid);
    const [there, inside] = await Promise.all([
      findLink(port, { netns: this.#netns }),
      findLink(insideDevice, { netns }),
    ]);
    const isPair = there !== undefined && inside !== undefined && inside.link_index === there.ifindex;
    if (!isPair) {
      // Deleting one side deletes the other; each may have another peer.
      if (there !== undefined) await ip(["link", "delete", "dev", port], { netns: this.#netns });
      if (findDevice(netns, insideDevice) !== undefined) await ip(["link", "delete", "dev", insideDevice], { netns });
      const set = ["link", "set", "dev", port];
      const peer = ["peer", "name", insideDevice, "address", toNatMac(uid), "netns", netns];
      await ipBatch(
        [
          ["link", "add", "name", port, "type", "veth", ...peer],
          [...set, "alias", `zor-agent=${this.#agentUid} zor-nat=${uid}`],
          [...set, "addrgenmode", "none"],
        ],
        { netns: this.#netns },
      );
    }
    await ip(["link", "set", "dev", port, "mtu", String(mtu + tagHeadroomBytes)], { netns: this.#netns });
    setUpQuietly(this.#netns, port);
    if (!this.#udpSuperFrames) await run("ethtool", ["-K", insideDevice, "tx-udp-segmentation", "off"], { netns });
    const address = ["address", "replace"];
    await ipBatch(
      [
        ["link", "set", "dev", insideDevice, "mtu", String(mtu)],
        ["link", "set", "dev", insideDevice, "up"],
        [...address, `${subnet.gateway}/${subnet.prefix}`, "dev", insideDevice],
        ...(subnet6 === undefined ? [] : [[...address, `${subnet6.gateway}/64`, "dev", insideDevice, "nodad"]]),
      ],
      { netns },
    );
  }

  /** Gives the tap that is there the addresses that its other side expects. Idempotent. */
  async setOutside({ subnet6 }: NatConfig, netns: string): Promise<void> {
    const dev = ["dev", outsideDevice];
    await ipBatch(
      [
        ["link", "set", ...dev, "up"],
        ["address", "replace", `${outside.own}/24`, ...dev],
        ["route", "replace", "default", "via", outside.gateway, ...dev],
        ...(subnet6 === undefined
          ? []
          : [
              ["address", "replace", `${outside.own6}/64`, ...dev, "nodad"],
              ["route", "replace", "::/0", "via", outside.gateway6, ...dev],
            ]),
      ],
      { netns },
    );
  }

  /** Plugs it into its lan, or takes it out when it has none. Idempotent. */
  async plug({ uid, name, lan, portSettings }: NatConfig): Promise<void> {
    const port = this.portOf(uid);
    if (lan === "") await this.#lans.unplug(port);
    else await this.#lans.plug({ lan, port, endpoint: name, settings: portSettings });
  }

  /** Whether it is where it should be. */
  isPlugged({ uid, lan }: NatConfig): boolean {
    const port = this.portOf(uid);
    return lan === "" || this.#lans.find(lan)?.ports.some((each) => each.port === port) === true;
  }

  /** Unplugs and removes the pair. Idempotent. */
  async remove(uid: string): Promise<void> {
    const port = this.portOf(uid);
    await this.#lans.unplug(port);
    const link = findDevice(this.#netns, port) === undefined ? undefined : await findLink(port, { netns: this.#netns });
    if (link?.ifalias === `zor-agent=${this.#agentUid} zor-nat=${uid}`) {
      await ip(["link", "delete", "dev", port], { netns: this.#netns });
    }
  }
}
