import { failedPrecondition } from "../../../lib/errors.js";
import { findDevice } from "../../../lib/net/device.js";
import { setUpQuietly } from "../../../lib/net/quiet-device.js";
import type { PortSettings } from "../../../proto/gen/zor/v1/port.js";
import { ip } from "../ip.js";
import type { LanPair, LanPairs } from "../lan-pairs.js";
import { toJoinDeviceName, toJoinMac, toJoinPortName } from "../names.js";
import { AnnouncementGuard } from "./announcement-guard.js";
import { findForeignBridge } from "./foreign-ovs.js";
import type { HostBridge } from "./host-bridge.js";
import { deviceMac, deviceMtu, findLinuxBridge } from "./linux-bridge.js";

/** What a port in a bridge of the host should be, checked. */
export interface JoinConfig {
  readonly uid: string;
  /** Resource name, the endpoint in its lan. */
  readonly name: string;
  /** "": in no lan. */
  readonly lan: string;
  /** Of the lan, in bytes. */
  readonly mtu: number;
  /** Name of the host's bridge. */
  readonly bridge: string;
  /** What DHCP servers and routers announce in the lan leaves it. */
  readonly dhcpOut: boolean;
  readonly portSettings: PortSettings | undefined;
}

/** What was seen of one. */
export interface JoinFacts {
  /** Undefined: there is no such bridge. */
  readonly type: HostBridge["type"] | undefined;
  /** Of the host's bridge, in bytes; undefined: not known. */
  readonly mtu: number | undefined;
  readonly port: string;
  readonly device: string;
}

/** Lans that are joined with bridges of the host, as their kind uses them. */
export interface JoinNetworks {
  /** @throws {ZorError} FAILED_PRECONDITION when there is no such bridge. */
  examine(config: JoinConfig): Promise<void>;
  /** Makes a port or brings it to a configuration. Idempotent. @throws {ZorError} */
  ensure(config: JoinConfig): Promise<void>;
  /** Takes the port out of the host's bridge and removes it. Idempotent. */
  remove(config: JoinConfig): Promise<void>;
  /** Looks what of it is missing, for people; "": nothing. @throws {ZorError} when that cannot be known. */
  missing(config: JoinConfig): Promise<string>;
  /** What was last seen of it. */
  facts(uid: string): JoinFacts;
}

/** Joins lans with bridges of a real host: a veth pair each, one side in the lan, the other a port of the bridge. */
export class Joins implements JoinNetworks {
  readonly #agentUid: string;
  readonly #pairs: LanPairs;
  readonly #guard: AnnouncementGuard;
  /** Socket of the database of the host's Open vSwitch. */
  readonly #ovsSocket: string;
  readonly #seen = new Map<string, Pick<JoinFacts, "type" | "mtu">>();

  constructor(options: { readonly agentUid: string; readonly pairs: LanPairs; readonly ovsSocket: string }) {
    this.#agentUid = options.agentUid;
    this.#pairs = options.pairs;
    this.#guard = new AnnouncementGuard(options.pairs.netns);
    this.#ovsSocket = options.ovsSocket;
  }

  async examine(config: JoinConfig): Promise<void> {
    await this.#find(config);
  }

  async ensure(config: JoinConfig): Promise<void> {
    const { uid, mtu, dhcpOut } = config;
    const bridge = await this.#find(config);
    const device = toJoinDeviceName(uid);
    const mac = bridge.keptMac ?? toJoinMac(uid);
    const pair: LanPair = { port: toJoinPortName(uid), device, netns: undefined, mac, tag: this.#tagOf(uid) };
    const before = await this.#pairs.ensure(pair);
    // Made anew under the same name: a userspace datapath goes on listening to the old one.
    if (before === undefined) await bridge.remove(device);
    // Before it leads anywhere.
    if (dhcpOut) await this.#guard.clear(pair.port);
    else await this.#guard.set(pair.port, config.name);
    await this.#pairs.prepare(pair, mtu);
    await this.#fit(bridge, device);
    await bridge.add(device);
    setUpQuietly(undefined, device);
    await this.#pairs.plug(pair.port, config);
  }

  async remove(config: JoinConfig): Promise<void> {
    const { uid } = config;
    const [device, port] = [toJoinDeviceName(uid), toJoinPortName(uid)];
    // One of Open vSwitch that cannot be asked would keep the port in its database.
    const known = this.#seen.get(uid)?.type;
    const bridge = await this.#look(config).catch((error: unknown) => {
      if (known === "linux") return undefined;
      throw error;
    });
    const mac = deviceMac(device);
    await bridge?.remove(device);
    await this.#pairs.remove(port, this.#tagOf(uid));
    await bridge?.settle(mac);
    await this.#guard.clear(port);
    this.#seen.delete(uid);
  }

  async missing(config: JoinConfig): Promise<string> {
    const { uid, lan, dhcpOut } = config;
    const [device, port] = [toJoinDeviceName(uid), toJoinPortName(uid)];
    const bridge = await this.#look(config);
    if (bridge === undefined) return noBridge(config.bridge);
    if (findDevice(undefined, device) === undefined) return `interface ${device} is gone`;
    const fault = bridge.missing(device);
    if (fault !== "") return fault;
    if (!this.#pairs.isPlugged(port, lan)) return "its port in the lan is gone";
    if (!dhcpOut && (await this.#guard.isSpoilt(port))) return "the rules that keep DHCP in the lan are gone";
    await this.#fit(bridge, device);
    return "";
  }

  facts(uid: string): JoinFacts {
    const { type, mtu } = this.#seen.get(uid) ?? { type: undefined, mtu: undefined };
    return { type, mtu, port: toJoinPortName(uid), device: toJoinDeviceName(uid) };
  }

  /** @throws {ZorError} FAILED_PRECONDITION: there is no such bridge. */
  async #find(config: JoinConfig): Promise<HostBridge> {
    const bridge = await this.#look(config);
    if (bridge !== undefined) return bridge;
    const remedy = `make it first, with: ip link add ${config.bridge} type bridge`;
    throw failedPrecondition("BRIDGE_MISSING", config.name, `${config.name}: ${noBridge(config.bridge)}; ${remedy}`);
  }

  async #look({ uid, bridge: name, ...config }: JoinConfig): Promise<HostBridge | undefined> {
    const owner = { agentUid: this.#agentUid, name: config.name };
    const foreign = { bridge: name, device: toJoinDeviceName(uid), owner };
    const bridge = findLinuxBridge(name) ?? (await findForeignBridge(this.#ovsSocket, foreign));
    this.#seen.set(uid, { type: bridge?.type, mtu: bridge?.mtu });
    return bridge;
  }

  /** Bridges have the lowest MTU of their ports, so that this port must not be below; it is not lowered with others. */
  async #fit({ mtu }: HostBridge, device: string): Promise<void> {
    if (mtu === undefined || (deviceMtu(device) ?? mtu) >= mtu) return;
    await ip(["link", "set", "dev", device, "mtu", String(mtu)], {});
  }

  #tagOf(uid: string): string {
    return `zor-agent=${this.#agentUid} zor-bridge=${uid}`;
  }
}

function noBridge(bridge: string): string {
  return `the host has no bridge ${bridge}`;
}
