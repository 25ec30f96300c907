import { failedPrecondition, notFound, unavailable } from "../../lib/errors.js";
import type { Log } from "../../lib/log.js";
import { type Device, findDevice } from "../../lib/net/device.js";
import { type CrossResult, type CrossTest, crossTest } from "./cross-test.js";
import {
  addBridge,
  addPort,
  adjustBridge,
  isOwned,
  type LanConfig,
  removeBridge,
  removePort,
  tagKeys,
} from "./bridge-operations.js";
import { LanTester } from "./lan-tester.js";
import { toBridgeName, toTestPortName } from "./names.js";
import type { MirroredRow, OvsdbMirror } from "./ovs/ovsdb-mirror.js";
import { findScalar, readMap } from "./ovs/ovsdb-values.js";
import type { Datapath, Switch } from "./ovs/switch.js";
import { toldOf } from "../host/told.js";

/** An endpoint plugged into a lan, as the switch tells it. */
export interface ObservedPort {
  /** Resource name of the endpoint. */
  readonly endpoint: string;
  readonly port: string;
  /** From the endpoint into the lan. */
  readonly rxFrames: bigint;
  readonly rxBytes: bigint;
  /** From the lan to the endpoint. */
  readonly txFrames: bigint;
  readonly txBytes: bigint;
  readonly droppedFrames: bigint;
  /** Why the port does not work; empty when it does. */
  readonly error: string;
}

/** A lan as the switch tells it. */
export interface ObservedLan {
  readonly id: string;
  readonly uid: string;
  readonly datapath: Datapath;
  readonly ports: readonly ObservedPort[];
  /** Why the lan as a whole forwards nothing; empty when it does. */
  readonly fault: string;
  /** Why the lan or a port of it does not work, for people; empty when all do. */
  readonly reason: string;
}

/** A port to plug. */
export interface PlugOptions {
  /** Id of the lan. */
  readonly lan: string;
  /** Name of the interface in the switch's namespace. */
  readonly port: string;
  /** Resource name of the endpoint it belongs to. */
  readonly endpoint: string;
}

/**
 * The lans of a host: tagged bridges of the agent's switch. What was ensured and plugged through this object is made again
 * after the switch had to be restarted. Untagged bridges and ports are never touched.
 */
export class Bridges {
  readonly #switch: Switch;
  readonly #log: Log;
  readonly #lans = new Map<string, LanConfig>();
  readonly #plugs = new Map<string, PlugOptions>();
  readonly #tester: LanTester;
  readonly #listeners = new Set<() => void>();
  readonly #stopWatching: () => void;

  constructor(options: { readonly switch: Switch; readonly log: Log }) {
    this.#switch = options.switch;
    this.#log = options.log;
    const onChange = (): void => {
      for (const listener of this.#listeners) listener();
    };
    this.#tester = new LanTester({ netns: options.switch.netns, onChange });
    this.#stopWatching = options.switch.onRestart(() => void this.#restore());
  }

  /** Makes a lan or brings it to this configuration. Idempotent. */
  async ensureLan(lan: LanConfig): Promise<void> {
    const { agentUid, datapath } = this.#switch;
    await this.#switch.change((mirror) => {
      const bridge = this.#findBridge(mirror, lan.id);
      if (bridge !== undefined && tagsOf(bridge).get(tagKeys.lanUid) === lan.uid) {
        return adjustBridge(bridge, interfacesOf(mirror, bridge), { lan, agentUid });
      }
      const add = addBridge({ lan, name: toBridgeName(lan.uid), agentUid, datapath });
      // A bridge of an earlier lan with this id was left when its deletion was cut short.
      return bridge === undefined ? add : [...removeBridge(bridge), ...add];
    });
    const { uid } = lan;
    const before = this.#lans.get(lan.id);
    if (before !== undefined && before.uid !== uid) this.#tester.remove(before.uid);
    this.#lans.set(lan.id, lan);
    await this.#tester.add({ uid, bridge: toBridgeName(uid), testPort: toTestPortName(uid) });
  }

  /** Removes a lan and unplugs what is in it. Idempotent. */
  async deleteLan(id: string): Promise<void> {
    this.#tester.remove(this.#lans.get(id)?.uid ?? "");
    this.#lans.delete(id);
    for (const plug of this.#plugs.values()) if (plug.lan === id) this.#plugs.delete(plug.port);
    await this.#switch.change((mirror) => {
      const bridge = this.#findBridge(mirror, id);
      return bridge === undefined ? [] : removeBridge(bridge);
    });
  }

  /** All lans of this agent as the switch has them, with what is plugged in. While the switch is away: those known, with the reason. */
  list(): readonly ObservedLan[] {
    const { failure, datapath } = this.#switch;
    let mirror: OvsdbMirror;
    try {
      mirror = this.#switch.mirror;
    } catch (error) {
      const reason = failure === "" ? toldOf(error) : failure;
      return [...this.#lans.values()].map(({ id, uid }) => ({ id, uid, datapath, ports: [], fault: reason, reason }));
    }
    return this.#bridges(mirror).map((bridge) => this.#observe(mirror, bridge));
  }

  /** One lan as the switch has it. */
  find(id: string): ObservedLan | undefined {
    let mirror: OvsdbMirror;
    try {
      mirror = this.#switch.mirror;
    } catch {
      return this.list().find((lan) => lan.id === id);
    }
    const bridge = this.#findBridge(mirror, id);
    return bridge === undefined ? undefined : this.#observe(mirror, bridge);
  }

  /**
   * Plugs an interface into a lan and verifies that the switch took it. Idempotent; moves it when it is in another lan.
   * @throws {ZorError} NOT_FOUND: no such lan; FAILED_PRECONDITION: not our port; UNAVAILABLE: the switch refused it, and it is unplugged again.
   */
  async plug(options: PlugOptions): Promise<void> {
    const { port, endpoint, lan } = options;
    if (this.#findBridge(this.#switch.mirror, lan) === undefined) throw noLan(lan);
    const device = findDevice(this.#switch.netns, port);
    if (device === undefined) throw plugFailed(options, `interface ${port} does not exist`);
    const ifindex = String(device.index);
    const plugged = this.#findPort(this.#switch.mirror, port);
    // Made anew under the same name: a userspace datapath goes on listening to the old one, whatever its columns say.
    if (plugged !== undefined && this.#isMadeAnew(plugged.row, device)) await this.unplug(port);
    await this.#switch.change((mirror) => {
      const bridge = this.#findBridge(mirror, lan);
      if (bridge === undefined) throw noLan(lan);
      const tags = {
        [tagKeys.agent]: this.#switch.agentUid,
        [tagKeys.lan]: lan,
        [tagKeys.endpoint]: endpoint,
        [tagKeys.ifindex]: ifindex,
      };
      const [mtu] = interfacesOf(mirror, bridge).map((row) => findScalar(row.columns["mtu_request"]));
      const add = addPort({ bridge, port, tags, mtu: typeof mtu === "number" ? mtu : undefined });
      const present = this.#findPort(mirror, port);
      if (present === undefined) return add;
      const unchanged = present.bridge.uuid === bridge.uuid && tagsOf(present.row).get(tagKeys.endpoint) === endpoint;
      return unchanged ? [] : [...removePort(present.bridge, present.row), ...add];
    });
    const { mirror } = this.#switch;
    const bridgeFault = this.#bridgeFault(mirror, lan);
    if (bridgeFault !== "") {
      // The port is as it should be, and works as soon as its lan does.
      this.#plugs.set(port, options);
      throw plugFailed(options, bridgeFault);
    }
    const row = mirror.findByName("Interface", port);
    const error = row === undefined ? "it is gone" : this.#interfaceError(row);
    if (error !== "") {
      await this.unplug(port);
      throw plugFailed(options, error);
    }
    this.#plugs.set(port, options);
    await this.#switch.growPacketBuffers();
  }

  /** Takes an interface out of the lan it is in. Idempotent. @throws {ZorError} FAILED_PRECONDITION: not our port */
  async unplug(port: string): Promise<void> {
    this.#plugs.delete(port);
    await this.#switch.change((mirror) => {
      const plugged = this.#findPort(mirror, port);
      return plugged === undefined ? [] : removePort(plugged.bridge, plugged.row);
    });
  }

  /** Tests whether frames cross from the lan to another end, see {@link crossTest}. @throws {ZorError} NOT_FOUND: no such lan */
  async cross(test: CrossTest): Promise<CrossResult> {
    const { mirror, netns } = this.#switch;
    const bridge = this.#findBridge(mirror, test.lan);
    if (bridge === undefined) throw noLan(test.lan);
    const obstacle = (text: string): CrossResult => ({ sent: 0, came: 0, obstacle: text });
    const row = mirror.findByName("Interface", test.port);
    const error = row === undefined ? "the port is not plugged" : this.#interfaceError(row);
    if (row === undefined || error !== "") return obstacle(error);
    const state = readMap(this.#findPort(mirror, test.port)?.row.columns["rstp_status"]).get("rstp_port_state");
    if (state !== undefined && state !== "Forwarding") {
      return obstacle(`RSTP keeps the port ${state.toLowerCase()}, so that lans form no loop; frames go another way`);
    }
    const name = String(findScalar(bridge.columns["name"]) ?? "");
    const openflowPort = Number(findScalar(row.columns["ofport"]));
    const testPort = toTestPortName(tagsOf(bridge).get(tagKeys.lanUid) ?? "");
    return crossTest(test, { netns, testPort, send: (frame) => this.#switch.sendFrame(name, openflowPort, frame) });
  }

  /** Calls back when lans or ports change. Counters change all the time: they are read with {@link list}. Returns the way to stop. */
  onChange(listener: () => void): () => void {
    const stop = this.#switch.onChange((change) => {
      if (change === "structure") listener();
    });
    this.#listeners.add(listener);
    return () => {
      stop();
      this.#listeners.delete(listener);
    };
  }

  /** Stops looking after the lans; they stay. */
  close(): void {
    this.#stopWatching();
    this.#tester.close();
  }

  async #restore(): Promise<void> {
    for (const lan of this.#lans.values()) {
      await this.ensureLan(lan).catch((error: unknown) => {
        this.#log.error({ err: error, lan: lan.id }, "a lan could not be made again after the switch was restarted");
      });
    }
    for (const plug of [...this.#plugs.values()]) {
      await this.plug(plug).catch((error: unknown) => {
        this.#plugs.set(plug.port, plug);
        this.#log.error(
          { err: error, ...plug },
          "an endpoint could not be plugged again after the switch was restarted",
        );
      });
    }
  }

  /** Whether the device is another than the one that was plugged. The kernel may have given it the same index. */
  #isMadeAnew(port: MirroredRow, { index, isPromiscuous }: Device): boolean {
    if (tagsOf(port).get(tagKeys.ifindex) !== String(index)) return true;
    // vswitchd puts the devices of a userspace datapath into promiscuous mode, in which none is when it is made.
    return this.#switch.datapath === "netdev" && !isPromiscuous;
  }

  /** Why no frames pass through a lan; empty when they do. */
  #bridgeFault(mirror: OvsdbMirror, lan: string): string {
    const bridge = this.#findBridge(mirror, lan);
    return bridge === undefined
      ? "it is gone"
      : this.#switch.faultOfBridge(String(findScalar(bridge.columns["name"]) ?? ""));
  }

  /** What the switch says against an interface: in the database, and, where that is silent, in the datapath. */
  #interfaceError(row: MirroredRow): string {
    const error = findScalar(row.columns["error"]);
    if (typeof error === "string" && error !== "") return error;
    if (Number(findScalar(row.columns["ofport"]) ?? -1) <= 0) return "the switch did not take it";
    return this.#switch.faultOfPort(String(findScalar(row.columns["name"]) ?? ""));
  }

  #observe(mirror: OvsdbMirror, bridge: MirroredRow): ObservedLan {
    const tags = tagsOf(bridge);
    const ports = mirror
      .follow(bridge, "ports", "Port")
      .filter((port) => tagsOf(port).has(tagKeys.endpoint))
      .map((port) => {
        const row = mirror.follow(port, "interfaces", "Interface")[0];
        return observePort(port, row, row === undefined ? "it has no interface" : this.#interfaceError(row));
      });
    const [id, uid] = [tags.get(tagKeys.lan) ?? "", tags.get(tagKeys.lanUid) ?? ""];
    const missing = this.#bridgeFault(mirror, id);
    const fault = missing === "" ? this.#tester.faultOf(uid) : missing;
    // Of a bridge that is not there every port is broken too.
    const broken = missing === "" ? ports.filter((port) => port.error !== "") : [];
    const reasons = [fault, ...broken.map((port) => `${port.endpoint}: ${port.error}`)];
    const reason = reasons.filter((text) => text !== "").join("; ");
    return { id, uid, datapath: this.#switch.datapath, ports, fault, reason };
  }

  #bridges(mirror: OvsdbMirror): readonly MirroredRow[] {
    return mirror.list("Bridge").filter((row) => isOwned(row, this.#switch.agentUid));
  }

  #findBridge(mirror: OvsdbMirror, lan: string): MirroredRow | undefined {
    return this.#bridges(mirror).find((row) => tagsOf(row).get(tagKeys.lan) === lan);
  }

  #findPort(mirror: OvsdbMirror, port: string): { bridge: MirroredRow; row: MirroredRow } | undefined {
    for (const bridge of mirror.list("Bridge")) {
      const row = mirror.follow(bridge, "ports", "Port").find(({ columns }) => columns["name"] === port);
      if (row === undefined) continue;
      if (isOwned(row, this.#switch.agentUid)) return { bridge, row };
      throw failedPrecondition(
        "PORT_NOT_OURS",
        "",
        `port ${port} of the switch was not made by this agent; remove it by hand`,
      );
    }
    return undefined;
  }
}

function noLan(lan: string): Error {
  return notFound(`lans/${lan}`, "create it first, or list them with: zor get lans");
}

function plugFailed({ endpoint, lan }: PlugOptions, why: string): Error {
  return unavailable("PLUG_FAILED", endpoint, `${endpoint} could not be plugged into lan ${lan}: ${why}`);
}

function tagsOf(row: MirroredRow): ReadonlyMap<string, string> {
  return readMap(row.columns["external_ids"]);
}

function interfacesOf(mirror: OvsdbMirror, bridge: MirroredRow): readonly MirroredRow[] {
  const ports = mirror.follow(bridge, "ports", "Port").filter((port) => tagsOf(port).has(tagKeys.agent));
  const rows = ports.flatMap((port) => mirror.follow(port, "interfaces", "Interface"));
  // The bridge's own interface first: it says what the lan's MTU is.
  const own = bridge.columns["name"];
  return rows.sort((a, b) => Number(b.columns["name"] === own) - Number(a.columns["name"] === own));
}

function observePort(port: MirroredRow, row: MirroredRow | undefined, error: string): ObservedPort {
  const statistics = readMap(row?.columns["statistics"]);
  const counter = (name: string) => BigInt(statistics.get(name) ?? 0);
  return {
    endpoint: tagsOf(port).get(tagKeys.endpoint) ?? "",
    port: String(findScalar(port.columns["name"]) ?? ""),
    rxFrames: counter("rx_packets"),
    rxBytes: counter("rx_bytes"),
    txFrames: counter("tx_packets"),
    txBytes: counter("tx_bytes"),
    droppedFrames: counter("rx_dropped") + counter("tx_dropped"),
    error,
  };
}
