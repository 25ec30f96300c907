import type { PortSettings } from "../../../proto/gen/zor/v1/port.js";
import { tagKeys } from "../bridge-operations.js";
import type { FlowKeeper } from "../flows/flow-keeper.js";
import { type ObservedLan, observePort } from "../observed-lan.js";
import type { MirroredRow, OvsdbMirror } from "../ovs/ovsdb-mirror.js";
import { findScalar } from "../ovs/ovsdb-values.js";
import { alone } from "../ovs/bond-view.js";
import type { Switch } from "../ovs/switch.js";
import { findBridge, nameOf, tagsOf } from "./bridge-rows.js";
import { portDrops } from "./port-drops.js";
import { bridgeTopology } from "./rstp-topology.js";

/** Lans as the switch has them, with what is known of them besides. */
export class LanView {
  readonly #switch: Switch;
  readonly #flows: Pick<FlowKeeper, "faultOf" | "figuresOf">;
  readonly #lanFault: (uid: string) => string;
  readonly #portFault: (port: string) => string;
  readonly #settingsOf: (port: string) => PortSettings | undefined;

  constructor(options: {
    readonly switch: Switch;
    readonly flows: Pick<FlowKeeper, "faultOf" | "figuresOf">;
    /** Why a lan forwards nothing though its bridge is there; empty: it does. */
    readonly lanFault: (uid: string) => string;
    /** Why a port does not do what its settings say; empty: it does. */
    readonly portFault: (port: string) => string;
    readonly settingsOf: (port: string) => PortSettings | undefined;
  }) {
    this.#switch = options.switch;
    this.#flows = options.flows;
    this.#lanFault = options.lanFault;
    this.#portFault = options.portFault;
    this.#settingsOf = options.settingsOf;
  }

  /** Why no frames pass through a lan; empty when they do. */
  faultOf(mirror: OvsdbMirror, lan: string): string {
    const bridge = findBridge(mirror, this.#switch.agentUid, lan);
    return bridge === undefined ? "it is gone" : this.#switch.faultOfBridge(nameOf(bridge));
  }

  /** What the switch says against an interface: in the database, and, where that is silent, in the datapath. */
  errorOf(row: MirroredRow): string {
    const error = findScalar(row.columns["error"]);
    if (typeof error === "string" && error !== "") return error;
    if (Number(findScalar(row.columns["ofport"]) ?? -1) <= 0) return "the switch did not take it";
    return this.#switch.faultOfPort(nameOf(row));
  }

  observe(mirror: OvsdbMirror, bridge: MirroredRow): ObservedLan {
    const tags = tagsOf(bridge);
    const [id, uid] = [tags.get(tagKeys.lan) ?? "", tags.get(tagKeys.lanUid) ?? ""];
    const drops = portDrops(this.#flows.figuresOf(id));
    const ports = mirror
      .follow(bridge, "ports", "Port")
      .flatMap((port) => mirror.follow(port, "interfaces", "Interface").map((row) => ({ port, row })))
      .filter(({ row }) => tagsOf(row).has(tagKeys.endpoint))
      .map(({ port, row }) => {
        const name = nameOf(row);
        const told = this.errorOf(row);
        const error = told === "" ? this.#portFault(name) : told;
        const settings = this.#settingsOf(name);
        const bonded = settings?.bond?.name;
        const bond = bonded === undefined ? undefined : { ...(this.#switch.bondOf(name) ?? alone), name: bonded };
        return observePort(port, row, { error, settings, bond, drops: drops.get(name) });
      });
    const missing = this.faultOf(mirror, id);
    const fault = missing === "" ? this.#lanFault(uid) : missing;
    // Of a bridge that is not there every port is broken too.
    const broken = missing === "" ? ports.filter((port) => port.error !== "") : [];
    const ofPorts = broken.map((port) => `${port.endpoint}: ${port.error}`);
    const reasons = [fault, this.#switch.faultOfDatabase, this.#flows.faultOf(id), ...ofPorts];
    const reason = reasons.filter((text) => text !== "").join("; ");
    return { id, uid, datapath: this.#switch.datapath, ports, fault, reason, rstp: bridgeTopology(bridge) };
  }
}
