import { join } from "node:path";
import { run } from "../../../agent/host/exec.js";
import type { Encryption } from "../../../agent/engine/handshake/encryption.js";
import { Bridges } from "../../../agent/network/bridges.js";
import { toBridgeName } from "../../../agent/network/names.js";
import { Switch } from "../../../agent/network/ovs/switch.js";
import { Ports } from "../../../agent/network/ports.js";
import { createLog } from "../../../lib/log.js";
import { EnginePair } from "./engines.js";
import { type BenchHost, ipIn, netnsName, type Station } from "./hosts.js";
import { type BenchPath, crosses, type PathName } from "./path.js";
import { addVxlanDevices } from "./tap-paths.js";

type Hosts = readonly [BenchHost, BenchHost];

/** Data port of the engines whose taps are plugged into lans. */
const lanEnginesPort = 7_463;
/** Device between the switches, for Open vSwitch's own tunnel, which needs the underlay in a bridge. */
const switchUnderlay = "ztp0";
const switchUnderlayBridge = "ztphy";
const endpoint = "links/bench";
/** vxlan adds 50 bytes, which the underlay's MTU of 1500 must leave room for. */
const [ethernetMtu, vxlanMtu] = [1_500, 1_450];

/** A lan with one container, as an agent makes them. */
export class LanSide {
  readonly host: BenchHost;
  readonly netns: string;
  readonly container: Station;
  readonly #lans: Bridges;

  private constructor(options: { host: BenchHost; netns: string; container: Station; lans: Bridges }) {
    this.host = options.host;
    this.netns = options.netns;
    this.container = options.container;
    this.#lans = options.lans;
  }

  static async open(host: BenchHost, cleanup: AsyncDisposableStack): Promise<LanSide> {
    const netns = netnsName(`s${host.side}`);
    const agentUid = `bench-${process.pid}-${host.side}`;
    const log = createLog("bench", { write: () => undefined });
    const { directory: stateDirectory } = host;
    const signal = new AbortController().signal;
    const sw = await Switch.open({ stateDirectory, agentUid, netns, log, signal });
    cleanup.defer(() => sw.destroy());
    const lans = new Bridges({ switch: sw, log });
    cleanup.defer(() => lans.close());
    await lans.ensureLan({ id: "lan1", uid: "bench-lan", mtu: ethernetMtu, rstp: false });
    const ports = new Ports({ netns, agentUid, segments: lans.segments });
    const ip = `10.233.0.${host.number}`;
    const container = await ports.ensureContainerNetns("bench");
    cleanup.defer(() => ports.removeNetnsNamed(container));
    const mac = `02:00:00:00:77:0${host.number}`;
    const nic = { nicIndex: 0, nic: "eth0", mac, mtu: ethernetMtu, addresses: [`${ip}/24`] };
    const port = await ports.ensureVeth({ instanceUid: "bench", ...nic });
    await lans.plug({ lan: "lan1", port, endpoint: "hosts/bench/instances/bench/nics/eth0" });
    return new LanSide({ host, netns, container: { netns: container, device: "eth0", ip }, lans });
  }

  /** Plugs a device into the lan. */
  plug(port: string): Promise<void> {
    return this.#lans.plug({ lan: "lan1", port, endpoint });
  }

  unplug(port: string): Promise<void> {
    return this.#lans.unplug(port);
  }

  /** Runs ovs-vsctl. */
  async vsctl(...argv: string[]): Promise<void> {
    await run("ovs-vsctl", [`--db=unix:${join(this.host.directory, "ovs", "db.sock")}`, ...argv]);
  }
}

/** How the two lans are joined for one path. */
interface Joint {
  readonly mtu: number;
  plug(side: LanSide): Promise<void>;
  unplug(side: LanSide): Promise<void>;
}

/** The paths between two containers. All share lans and containers: only what joins the lans is plugged for each. */
export class LanPaths {
  readonly #sides: readonly [LanSide, LanSide];
  readonly #cleanup: AsyncDisposableStack;
  #current: Joint | undefined;
  #engines: EnginePair | undefined;

  private constructor(sides: readonly [LanSide, LanSide], cleanup: AsyncDisposableStack) {
    this.#sides = sides;
    this.#cleanup = cleanup;
  }

  static async open(hosts: Hosts, cleanup: AsyncDisposableStack): Promise<LanPaths> {
    const a = await LanSide.open(hosts[0], cleanup);
    return new LanPaths([a, await LanSide.open(hosts[1], cleanup)], cleanup);
  }

  get containers(): readonly [Station, Station] {
    return [this.#sides[0].container, this.#sides[1].container];
  }

  /** A kernel vxlan device in each lan. */
  async vxlan(): Promise<BenchPath> {
    const netns = new Map(this.#sides.map((side) => [side.host.side, side.netns]));
    const device = "ztv1";
    await addVxlanDevices(this.#hosts, { id: 4202, device, netns: (host) => netns.get(host.side) ?? "" });
    return this.#path("e2e-vxlan", {
      mtu: vxlanMtu,
      plug: (side) => side.plug(device),
      unplug: (side) => side.unplug(device),
    });
  }

  /** A tunnel port of Open vSwitch in each lan. */
  async ovs(): Promise<BenchPath> {
    const [a, b] = this.#sides;
    await ipIn(a.netns, "link", "add", switchUnderlay, "type", "veth", "peer", switchUnderlay, "netns", b.netns);
    for (const { host, netns } of this.#sides) {
      await ipIn(netns, "link", "set", switchUnderlay, "up");
      const side = host === a.host ? a : b;
      await side.vsctl(
        ...["add-br", switchUnderlayBridge, "--", "set", "bridge", switchUnderlayBridge, "datapath_type=netdev"],
        ...["--", "add-port", switchUnderlayBridge, switchUnderlay],
      );
      await ipIn(netns, "address", "add", `10.234.0.${host.number}/24`, "dev", switchUnderlayBridge);
      await ipIn(netns, "link", "set", switchUnderlayBridge, "up");
    }
    return this.#path("e2e-ovs", {
      mtu: vxlanMtu,
      plug: async (side) => {
        const remote = `options:remote_ip=10.234.0.${3 - side.host.number}`;
        const port = ["add-port", toBridgeName("bench-lan"), "ztovs", "--", "set", "interface", "ztovs"];
        await side.vsctl(...port, "type=vxlan", remote, "options:key=4203");
        await setOffloads(side, "off");
      },
      unplug: async (side) => {
        await side.vsctl("del-port", "ztovs");
        await setOffloads(side, "on");
      },
    });
  }

  /** A cable of ours. */
  async cable(name: PathName, encryption: Encryption): Promise<BenchPath> {
    const [cable] = await (await this.#openEngines()).connect(1, { encryption });
    const taps = { a: cable?.tapA ?? "", b: cable?.tapB ?? "" };
    return this.#path(name, {
      mtu: ethernetMtu,
      plug: (side) => side.plug(taps[side.host.side]),
      unplug: (side) => side.unplug(taps[side.host.side]),
    });
  }

  get #hosts(): Hosts {
    return [this.#sides[0].host, this.#sides[1].host];
  }

  async #openEngines(): Promise<EnginePair> {
    if (this.#engines !== undefined) return this.#engines;
    const netns = [this.#sides[0].netns, this.#sides[1].netns] as const;
    this.#engines = this.#cleanup.use(await EnginePair.open({ hosts: this.#hosts, netns, port: lanEnginesPort }));
    return this.#engines;
  }

  async #path(name: PathName, joint: Joint): Promise<BenchPath> {
    const [a, b] = this.containers;
    const path = { name, a, b, use: () => this.#use(joint) };
    await path.use();
    return path;
  }

  async #use(joint: Joint): Promise<void> {
    if (this.#current === joint) return;
    const before = this.#current;
    this.#current = joint;
    for (const side of this.#sides) {
      await before?.unplug(side);
      await joint.plug(side);
      await ipIn(side.container.netns, "link", "set", side.container.device, "mtu", String(joint.mtu));
    }
    await crosses(...this.containers);
  }
}

/** Open vSwitch drops what would have to be segmented behind its own tunnel, so segments and checksums are made by the sender. */
async function setOffloads({ container }: LanSide, state: "on" | "off"): Promise<void> {
  const argv = ["-K", container.device, "tso", state, "gso", state, "tx", state];
  await run("ethtool", argv, { netns: container.netns });
}
