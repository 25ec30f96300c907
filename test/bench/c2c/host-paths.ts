import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { run } from "../../../agent/host/exec.js";
import { Bridges } from "../../../agent/network/bridges.js";
import { Switch } from "../../../agent/network/ovs/switch.js";
import { Ports } from "../../../agent/network/ports.js";
import { Forwarder } from "../../../agent/network/wires/forwarder.js";
import { createLog } from "../../../lib/log.js";
import { addNetns, type BenchHost, ipIn, netnsName, type Station } from "./hosts.js";
import { type BenchPath, directPath, type PathName } from "./path.js";

const device = "eth0";
const mtu = 1_500;
const lan = { id: "lan1", uid: "bench-host-lan", mtu, rstp: false };
const handMadeBridge = "zthand";
const signal = new AbortController().signal;
const log = createLog("bench", { write: () => undefined });

/** Two stations of a path: which of them, and where it is. */
interface End {
  readonly number: 1 | 2;
  readonly netns: string;
}

/** The paths between two containers of one host, each with containers of its own. */
export class HostPaths {
  readonly #cleanup: AsyncDisposableStack;
  /** Namespace of the switch. */
  readonly #netns: string;
  readonly #ports: Ports;
  readonly #lans: Bridges;
  readonly #vsctl: (...argv: string[]) => Promise<void>;

  private constructor(options: {
    readonly cleanup: AsyncDisposableStack;
    readonly netns: string;
    readonly ports: Ports;
    readonly lans: Bridges;
    readonly vsctl: (...argv: string[]) => Promise<void>;
  }) {
    this.#cleanup = options.cleanup;
    this.#netns = options.netns;
    this.#ports = options.ports;
    this.#lans = options.lans;
    this.#vsctl = options.vsctl;
  }

  static async open(host: BenchHost, cleanup: AsyncDisposableStack): Promise<HostPaths> {
    const netns = netnsName("one");
    const agentUid = `bench-${process.pid}-one`;
    const stateDirectory = join(host.directory, "one");
    await mkdir(stateDirectory);
    const sw = await Switch.open({ stateDirectory, agentUid, netns, log, signal });
    cleanup.defer(() => sw.destroy());
    const lans = new Bridges({ switch: sw, log });
    cleanup.defer(() => lans.close());
    const ports = new Ports({ netns, agentUid, datapath: sw.datapath, segments: lans.segments });
    const db = `--db=unix:${join(stateDirectory, "ovs", "db.sock")}`;
    const vsctl = async (...argv: string[]): Promise<void> => void (await run("ovs-vsctl", [db, ...argv]));
    return new HostPaths({ cleanup, netns, ports, lans, vsctl });
  }

  /** A veth pair between two namespaces, and nothing else. */
  async veth(): Promise<BenchPath> {
    const ends = await this.#ends("v");
    const [a, b] = ends;
    await ipIn(a.netns, "link", "add", device, "type", "veth", "peer", device, "netns", b.netns);
    return await this.#addressed("host-veth", ends);
  }

  /** A bridge of the same switch and veth pairs, as one makes them by hand. */
  async handMade(): Promise<BenchPath> {
    const ends = await this.#ends("h");
    const bridge = ["add-br", handMadeBridge, "--", "set", "bridge", handMadeBridge, "datapath_type=netdev"];
    await this.#vsctl(...bridge);
    for (const { number, netns } of ends) {
      const port = `zthand${number}`;
      await ipIn(this.#netns, "link", "add", port, "type", "veth", "peer", device, "netns", netns);
      await ipIn(this.#netns, "link", "set", port, "up");
      await this.#vsctl("add-port", handMadeBridge, port);
    }
    return await this.#addressed("host-hand", ends);
  }

  /** A lan as an agent makes it. */
  async lan(): Promise<BenchPath> {
    await this.#lans.ensureLan(lan);
    const [a, b] = await this.#containers("l");
    for (const { port, endpoint } of [a, b]) await this.#lans.plug({ lan: lan.id, port, endpoint });
    return await directPath("host-lan", a.station, b.station);
  }

  /** A wire. */
  async wire(): Promise<BenchPath> {
    const [a, b] = await this.#containers("w");
    const forwarder = new Forwarder({ netns: this.#netns, log });
    this.#cleanup.defer(() => forwarder.close());
    await forwarder.join("bench", { a: a.port, b: b.port });
    return await directPath("host-wire", a.station, b.station);
  }

  /** Two namespaces. */
  async #ends(letter: string): Promise<readonly [End, End]> {
    const a = await addNetns(netnsName(`${letter}1`), this.#cleanup);
    const b = await addNetns(netnsName(`${letter}2`), this.#cleanup);
    return [
      { number: 1, netns: a },
      { number: 2, netns: b },
    ];
  }

  /** Gives both devices addresses. */
  async #addressed(name: PathName, ends: readonly [End, End]): Promise<BenchPath> {
    for (const { number, netns } of ends) {
      await ipIn(netns, "address", "add", `${addressOf(number)}/24`, "dev", device);
      await ipIn(netns, "link", "set", device, "up");
    }
    const [a, b] = ends.map(({ number, netns }): Station => ({ netns, device, ip: addressOf(number) }));
    if (a === undefined || b === undefined) throw new Error("a path has two ends");
    return await directPath(name, a, b);
  }

  /** Two containers with an interface each, as an agent makes them, which are plugged into nothing. */
  async #containers(letter: string) {
    const make = async (number: 1 | 2) => {
      const instanceUid = `${letter}${number}`;
      const netns = await this.#ports.ensureContainerNetns(instanceUid);
      this.#cleanup.defer(() => this.#ports.removeNetnsNamed(netns));
      const nic = { nicIndex: 0, nic: device, mac: `02:00:00:00:78:0${number}`, mtu };
      const port = await this.#ports.ensureVeth({ instanceUid, ...nic, addresses: [`${addressOf(number)}/24`] });
      const endpoint = `hosts/bench/instances/${instanceUid}/nics/${device}`;
      return { port, endpoint, station: { netns, device, ip: addressOf(number) } satisfies Station };
    };
    return [await make(1), await make(2)] as const;
  }
}

function addressOf(number: 1 | 2): string {
  return `10.236.0.${number}`;
}
