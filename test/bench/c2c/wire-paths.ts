import type { Encryption } from "../../../agent/engine/handshake/encryption.js";
import { redirect } from "../../../agent/network/wires/redirect.js";
import { EnginePair } from "./engines.js";
import { addNetns, type BenchHost, ipIn, netnsName, type Station } from "./hosts.js";
import { type BenchPath, crosses, type PathName } from "./path.js";
import { addVxlanDevices } from "./tap-paths.js";

type Hosts = readonly [BenchHost, BenchHost];

/** Data port of the engines whose taps are forwarded to containers. */
const wireEnginesPort = 7_464;
/** The container's side of its veth, and the host's. */
const [guestDevice, hostPort] = ["eth0", "ztw0"];

/** A container whose NIC a link ends at, as agents make it: no switch, the kernel forwards between its port and the engine's tap. */
interface WireSide {
  readonly host: BenchHost;
  /** Where taps and ports are. */
  readonly netns: string;
  readonly container: Station;
}

/** The paths between two containers without any switch. All of them share the containers. */
export class WirePaths {
  readonly #sides: readonly [WireSide, WireSide];
  readonly #engines: EnginePair;
  #current: PathName | undefined;

  private constructor(sides: readonly [WireSide, WireSide], engines: EnginePair) {
    this.#sides = sides;
    this.#engines = engines;
  }

  static async open(hosts: Hosts, cleanup: AsyncDisposableStack): Promise<WirePaths> {
    const a = await openSide(hosts[0], cleanup);
    const b = await openSide(hosts[1], cleanup);
    const netns = [a.netns, b.netns] as const;
    const engines = cleanup.use(await EnginePair.open({ hosts, netns, port: wireEnginesPort }));
    return new WirePaths([a, b], engines);
  }

  /** A cable of ours. */
  async cable(name: PathName, encryption: Encryption): Promise<BenchPath> {
    const [cable] = await this.#engines.connect(1, { encryption });
    const taps = { a: cable?.tapA ?? "", b: cable?.tapB ?? "" };
    const [a, b] = [this.#sides[0].container, this.#sides[1].container];
    const use = async (): Promise<void> => {
      if (this.#current === name) return;
      this.#current = name;
      for (const { host, netns } of this.#sides) {
        await redirect(hostPort, taps[host.side], { netns });
        await redirect(taps[host.side], hostPort, { netns });
      }
      await crosses(a, b);
    };
    await use();
    return { name, a, b, use };
  }
}

/** A kernel vxlan device plugged straight into each of two other containers. */
export async function makeWireVxlan(hosts: Hosts, cleanup: AsyncDisposableStack): Promise<BenchPath> {
  const stations: Station[] = [];
  for (const host of hosts) {
    const netns = await addNetns(netnsName(`v${host.side}`), cleanup);
    stations.push({ netns, device: "ztv2", ip: `10.236.0.${host.number}` });
  }
  const netns = new Map(hosts.map(({ side }, index) => [side, stations[index]?.netns ?? ""]));
  await addVxlanDevices(hosts, { id: 4204, device: "ztv2", netns: ({ side }) => netns.get(side) ?? "" });
  for (const { netns: place, device, ip } of stations) await ipIn(place, "address", "add", `${ip}/24`, "dev", device);
  const [a, b] = stations;
  if (a === undefined || b === undefined) throw new Error("a path has two stations");
  await crosses(a, b);
  return { name: "wire-vxlan", a, b, use: async () => undefined };
}

async function openSide(host: BenchHost, cleanup: AsyncDisposableStack): Promise<WireSide> {
  const netns = await addNetns(netnsName(`w${host.side}`), cleanup);
  const guest = await addNetns(netnsName(`g${host.side}`), cleanup);
  const ip = `10.235.0.${host.number}`;
  await ipIn(guest, "link", "add", guestDevice, "type", "veth", "peer", "name", hostPort, "netns", netns);
  await ipIn(guest, "address", "add", `${ip}/24`, "dev", guestDevice);
  await ipIn(guest, "link", "set", guestDevice, "up");
  await ipIn(netns, "link", "set", hostPort, "up");
  return { host, netns, container: { netns: guest, device: guestDevice, ip } };
}
