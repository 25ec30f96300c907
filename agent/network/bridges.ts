import { KeyedQueue } from "../../lib/keyed-queue.js";
import type { Log } from "../../lib/log.js";
import { findDevice } from "../../lib/net/device.js";
import { toldOf } from "../host/told.js";
import {
  addBridge,
  adjustBridge,
  adjustSettings,
  type LanConfig,
  type PluggedDevice,
  removeBridge,
  removePort,
  tagKeys,
} from "./bridge-operations.js";
import { type CrossResult, type CrossTest, crossTest } from "./cross-test.js";
import { FlowKeeper } from "./flows/flow-keeper.js";
import { LanTester } from "./lan-tester.js";
import { bridgesOf, findBridge, findPort, interfacesOf, nameOf, portsByDevice, tagsOf } from "./lans/bridge-rows.js";
import { Healer } from "./lans/healer.js";
import { LanView } from "./lans/lan-view.js";
import { MacViolations } from "./lans/mac-violations.js";
import { Mirrors } from "./lans/mirrors.js";
import { bondedWith, changeOf, idsOf, isMadeAnew, noLan, type PlugOptions, plugFailed } from "./lans/plug.js";
import { plugOperations } from "./lans/plug-operations.js";
import { portDrops } from "./lans/port-drops.js";
import { assertWithoutFlows } from "./outlets/controlled-ports.js";
import { takesPartInMirrors } from "./lans/port-columns.js";
import { type PortChange, PortFaults } from "./lans/port-faults.js";
import { PortLimits } from "./lans/port-limits.js";
import { type Healed, Restorer } from "./lans/restorer.js";
import { toBridgeName, toTestPortName } from "./names.js";
import type { ObservedLan } from "./observed-lan.js";
import type { OvsdbOperation } from "./ovs/ovsdb-client.js";
import type { MirroredRow, OvsdbMirror } from "./ovs/ovsdb-mirror.js";
import { findScalar, readMap } from "./ovs/ovsdb-values.js";
import type { Switch } from "./ovs/switch.js";
import { SegmentSizes } from "./segments/segment-sizes.js";

/**
 * The lans of a host: tagged bridges of the agent's switch. What was ensured and plugged through this object is made again
 * after the switch had to be restarted. Untagged bridges and ports are never touched.
 */
export class Bridges {
  /** The flows of the lans. */
  readonly flows: FlowKeeper;
  /** Keeps sizes of segments where the switch does not; undefined: it does. */
  readonly segments: SegmentSizes | undefined;
  readonly #switch: Switch;
  readonly #log: Log;
  readonly #lans = new Map<string, LanConfig>();
  readonly #restorer: Restorer;
  readonly #plugs = new Map<string, PlugOptions>();
  readonly #tester: LanTester;
  readonly #view: LanView;
  readonly #healer: Healer;
  readonly #faults = new PortFaults();
  readonly #violations = new MacViolations();
  readonly #mirrors: Mirrors;
  readonly #limits: PortLimits;
  /** Of one port one thing is done after the other. */
  readonly #queue = new KeyedQueue(1024);
  readonly #listeners = new Set<() => void>();
  readonly #stopWatching: () => void;

  constructor(options: { readonly switch: Switch; readonly log: Log; readonly lookMs?: number }) {
    this.#switch = options.switch;
    this.#log = options.log;
    this.#mirrors = new Mirrors(options.switch);
    const onChange = (): void => {
      for (const listener of this.#listeners) listener();
    };
    const isWaiting = (): boolean => options.switch.isHoldingBack;
    this.#tester = new LanTester({ netns: options.switch.netns, isWaiting, onChange });
    this.#healer = new Healer(() => this.#heal(), options.log);
    this.flows = new FlowKeeper(options);
    this.segments = SegmentSizes.of(options);
    this.#view = new LanView({
      switch: options.switch,
      flows: this.flows,
      lanFault: (uid) => this.#tester.faultOf(uid),
      portFault: (port) => this.#faults.of(port),
      settingsOf: (port) => this.#plugs.get(port)?.settings,
    });
    const tell = (port: string, fault: string): void => this.#faults.tell(this.#plugs.get(port), fault);
    this.#limits = new PortLimits({ netns: options.switch.netns, log: options.log, flows: this.flows, tell });
    this.flows.onLook((lan) => {
      const drops = portDrops(this.flows.figuresOf(lan));
      const found = this.#violations.lookAll(
        [...this.#plugs.values()].filter((plug) => plug.lan === lan),
        drops,
      );
      for (const change of found) this.#faults.notice(change);
    });
    this.#restorer = new Restorer({
      ...{ switch: options.switch, log: options.log, flows: this.flows, lans: this.#lans, plugs: this.#plugs },
      ensureLan: (lan) => this.ensureLan(lan),
      plug: (plug) => this.plug(plug),
    });
    const stops = [
      this.flows.onChange(onChange),
      options.switch.onRestart((started) => void this.#restorer.restart(started)),
      options.switch.onChange((change) => {
        if (change === "structure") this.#healer.ask();
      }),
    ];
    this.#stopWatching = () => {
      for (const stop of stops) stop();
    };
  }

  /** Makes a lan or brings it to this configuration. Idempotent. */
  async ensureLan(lan: LanConfig): Promise<void> {
    const { agentUid, datapath } = this.#switch;
    const before = this.#lans.get(lan.id);
    // Known before it is done: what heals a lan meanwhile must not bring it back to what it was.
    this.#lans.set(lan.id, lan);
    const build = (mirror: OvsdbMirror): OvsdbOperation[] => {
      const bridge = this.#findBridge(mirror, lan.id);
      if (bridge !== undefined && tagsOf(bridge).get(tagKeys.lanUid) === lan.uid) {
        return adjustBridge(bridge, interfacesOf(mirror, bridge), { lan, agentUid });
      }
      const add = addBridge({ lan, name: toBridgeName(lan.uid), agentUid, datapath });
      // A bridge of an earlier lan with this id was left when its deletion was cut short.
      return bridge === undefined ? add : [...removeBridge(bridge), ...add];
    };
    await this.#switch.change(build).catch((error: unknown) => {
      if (before === undefined) this.#lans.delete(lan.id);
      else this.#lans.set(lan.id, before);
      throw error;
    });
    this.#restorer.made(lan.id);
    const mirrored = await this.#mirrors.settle((mirror) => this.#findBridge(mirror, lan.id));
    if (mirrored > 0) await this.#switch.revalidated();
    const { uid } = lan;
    if (before !== undefined && before.uid !== uid) this.#tester.remove(before.uid);
    // Whose frames pass there is its controller's to say, test frames too.
    if (lan.settings?.controller !== undefined) this.#tester.remove(uid);
    else await this.#tester.add({ uid, bridge: toBridgeName(uid), testPort: toTestPortName(uid) });
  }

  /** Removes a lan and unplugs what is in it. Idempotent. */
  async deleteLan(id: string): Promise<void> {
    this.#tester.remove(this.#lans.get(id)?.uid ?? "");
    this.#lans.delete(id);
    this.#restorer.forget(id);
    this.flows.forget(id);
    for (const { port, lan } of [...this.#plugs.values()]) {
      if (lan !== id) continue;
      this.#plugs.delete(port);
      await this.#limits.remove(port);
    }
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
    return this.#bridges(mirror).map((bridge) => this.#view.observe(mirror, bridge));
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
    return bridge === undefined ? undefined : this.#view.observe(mirror, bridge);
  }

  /**
   * Plugs an interface into a lan with its settings and verifies that the switch took it. Idempotent; moves it when it is in another lan.
   * @throws {ZorError} NOT_FOUND: no such lan; FAILED_PRECONDITION: not our port; UNAVAILABLE: the switch refused it, and it is unplugged again.
   */
  async plug(options: PlugOptions): Promise<void> {
    await this.#queue.run(options.port, () => this.#plug(options));
  }

  /** With its limits first: when they cannot be nothing has changed; and again, since flows name a new port by the number that it has then. */
  async #plug(options: PlugOptions): Promise<void> {
    const { port, lan } = options;
    if (this.#findBridge(this.#switch.mirror, lan) === undefined) throw noLan(lan);
    if (this.#lans.get(lan)?.settings?.controller !== undefined) assertWithoutFlows(options);
    const before = this.#plugs.get(port);
    // What is said of one member of a bond holds for all: who heals them meanwhile must not bring back what was.
    const others = bondedWith(options, this.#plugs);
    for (const other of others)
      this.#plugs.set(other.port, { ...other, settings: options.settings, bond: options.bond });
    let isPlugged = false;
    try {
      const isLimited = await this.#limits.set(options);
      await this.#plugIn(options);
      isPlugged = true;
      await this.#limits.set(options);
      if (isLimited && before !== undefined) await this.#switch.revalidated();
    } catch (error) {
      for (const other of others) this.#plugs.set(other.port, other);
      if (isPlugged && before?.lan !== lan) await this.#unplug(port);
      await this.#limits.restore(port, this.#plugs.get(port));
      throw error;
    }
  }

  async #plugIn(options: PlugOptions): Promise<void> {
    const { port, lan } = options;
    const device = findDevice(this.#switch.netns, port);
    if (device === undefined) throw plugFailed(options, `interface ${port} does not exist`);
    const ifindex = String(device.index);
    this.segments?.attach(port);
    const plugged = this.#findPort(this.#switch.mirror, port);
    // Made anew under the same name: a userspace datapath goes on listening to the old one, whatever its columns say.
    if (plugged !== undefined && isMadeAnew(plugged.device, device, this.#switch.datapath)) await this.#unplug(port);
    const changes = await this.#changePort(options, ifindex);
    // Mirrors refer to the rows of ports, which had to be there first.
    const more = await this.#mirrors.settle((mirror) => {
      const found = this.#findPort(mirror, port);
      if (found === undefined) throw noLan(lan);
      return takesPartInMirrors(found.row) ? found.bridge : undefined;
    });
    if (plugged !== undefined && changes.length + more > 0) await this.#switch.revalidated();
    const { mirror } = this.#switch;
    const bridgeFault = this.#view.faultOf(mirror, lan);
    if (bridgeFault !== "") {
      // The port is as it should be, and works as soon as its lan does.
      this.#plugs.set(port, options);
      throw plugFailed(options, bridgeFault);
    }
    const row = mirror.findByName("Interface", port);
    const error = row === undefined ? "it is gone" : this.#view.errorOf(row);
    if (error !== "") {
      await this.#unplug(port);
      throw plugFailed(options, error);
    }
    this.#plugs.set(port, options);
    this.#faults.held(port);
    await this.#switch.growPacketBuffers();
  }

  /** Changes what the database has of a port. One that is not in this lan yet finds its flows there. */
  async #changePort(options: PlugOptions, ifindex: string): Promise<readonly unknown[]> {
    const { port, lan } = options;
    const { mirror, agentUid } = this.#switch;
    const isThere = this.#findPort(mirror, port)?.bridge.uuid === this.#findBridge(mirror, lan)?.uuid;
    // The members of a bond share its flows.
    const expected = isThere || options.bond !== undefined ? undefined : await this.flows.expect(lan, options);
    const build = (now: OvsdbMirror): OvsdbOperation[] => {
      const bridge = this.#findBridge(now, lan);
      if (bridge === undefined) throw noLan(lan);
      const given = { agentUid, ifindex, number: expected?.number, present: this.#findPort(now, port) };
      return plugOperations(now, bridge, options, given);
    };
    return await this.#switch.change(build).finally(expected?.done);
  }

  /** Takes an interface out of the lan it is in. Idempotent. @throws {ZorError} FAILED_PRECONDITION: not our port */
  async unplug(port: string): Promise<void> {
    await this.#queue.run(port, () => this.#unplug(port));
  }

  async #unplug(port: string): Promise<void> {
    this.#plugs.delete(port);
    this.#faults.forget(port);
    this.#violations.forget(port);
    await this.#limits.remove(port);
    await this.#switch.change((mirror) => {
      const plugged = this.#findPort(mirror, port);
      return plugged === undefined ? [] : removePort(plugged);
    });
    await this.#mirrors.settle();
  }

  /** Tests whether frames cross from the lan to another end, see {@link crossTest}. @throws {ZorError} NOT_FOUND: no such lan */
  async cross(test: CrossTest): Promise<CrossResult> {
    const { mirror, netns } = this.#switch;
    const bridge = this.#findBridge(mirror, test.lan);
    if (bridge === undefined) throw noLan(test.lan);
    const obstacle = (text: string): CrossResult => ({ sent: 0, came: 0, obstacle: text });
    const row = mirror.findByName("Interface", test.port);
    const error = row === undefined ? "the port is not plugged" : this.#view.errorOf(row);
    if (row === undefined || error !== "") return obstacle(error);
    const state = readMap(this.#findPort(mirror, test.port)?.row.columns["rstp_status"]).get("rstp_port_state");
    if (state !== undefined && state !== "Forwarding") {
      return obstacle(`RSTP keeps the port ${state.toLowerCase()}, so that lans form no loop; frames go another way`);
    }
    const name = nameOf(bridge);
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

  /** Calls back when a port does not do what its settings say, and when it does again. Returns the way to stop. */
  onPortChange(listener: (change: PortChange) => void): () => void {
    return this.#faults.onChange(listener);
  }

  /** Calls back when a bridge that was gone was made again, and when the switch was started again. Returns the way to stop. */
  onHealed(listener: (healed: Healed) => void): () => void {
    return this.#restorer.onHealed(listener);
  }

  /** Stops looking after the lans; they stay. */
  close(): void {
    this.#stopWatching();
    this.#healer.close();
    this.flows.close();
    this.segments?.close();
    this.#tester.close();
    void this.#limits.close();
  }

  /** Puts right what somebody else changed of our ports and mirrors. */
  async #heal(): Promise<void> {
    if (this.#switch.failure !== "") return;
    await this.#restorer.makeBridges();
    const { mirror } = this.#switch;
    const rows = portsByDevice(mirror);
    for (const plug of [...this.#plugs.values()]) {
      if (changeOf(rows.get(plug.port), plug) === "") continue;
      await this.#queue
        .run(plug.port, () => this.#healPort(plug))
        .catch((error: unknown) => {
          this.#log.error({ err: error, ...idsOf(plug) }, "a port that was changed at the switch is not put right");
        });
    }
    if ((await this.#switch.change((now) => this.#bridges(now).flatMap((bridge) => this.#settle(bridge)))).length > 0) {
      this.#log.warn("settings of lans were changed at the switch; put right");
    }
    if ((await this.#mirrors.settleAll()) === 0) return;
    this.#log.warn("mirrors were changed at the switch; put right");
    await this.#switch.revalidated();
  }

  /** Operations that bring a bridge to what its lan says. */
  #settle(bridge: MirroredRow): OvsdbOperation[] {
    const lan = this.#lans.get(tagsOf(bridge).get(tagKeys.lan) ?? "");
    return lan === undefined ? [] : adjustSettings(bridge, lan);
  }

  async #healPort(plug: PlugOptions): Promise<void> {
    const { port } = plug;
    // What was seen may have been the half of a change of our own, which is done by now.
    const change = changeOf(portsByDevice(this.#switch.mirror).get(port), plug);
    if (this.#plugs.get(port) !== plug || change === "") return;
    if (findDevice(this.#switch.netns, port) === undefined) return;
    this.#log.warn({ ...idsOf(plug), change }, "a port was changed at the switch by somebody else; it is put right");
    this.#faults.lost(plug, change);
    await this.#plug(plug).finally(() => this.#plugs.set(port, plug));
  }

  #bridges(mirror: OvsdbMirror): readonly MirroredRow[] {
    return bridgesOf(mirror, this.#switch.agentUid);
  }

  #findBridge(mirror: OvsdbMirror, lan: string): MirroredRow | undefined {
    return findBridge(mirror, this.#switch.agentUid, lan);
  }

  #findPort(mirror: OvsdbMirror, port: string): PluggedDevice | undefined {
    return findPort(mirror, this.#switch.agentUid, port);
  }
}
