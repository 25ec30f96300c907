import { failedPrecondition, permissionDenied } from "../../../lib/errors.js";
import {
  type Bridge,
  type BridgeSpec,
  BridgeState,
  type BridgeStatus,
  BridgeType,
} from "../../../proto/gen/zor/v1/bridge.js";
import { Healing } from "../../kit/healing.js";
import { keptKind } from "../../kit/kept-kind.js";
import type { AgentKind, Checked, Kept, Reference, Whole } from "../../kit/kind.js";
import { mayJoin } from "../../network/joins/join-policy.js";
import type { JoinConfig, JoinNetworks } from "../../network/joins/joins.js";
import type { AgentContext } from "../../parts.js";
import { checkBridge } from "./bridge-spec.js";

/** The bridges are looked at this often: whoever may take a port out is not asked. */
const refreshMs = 2000;
const usualMtu = 1500;
const types = { linux: BridgeType.BRIDGE_TYPE_LINUX, ovs: BridgeType.BRIDGE_TYPE_OVS } as const;

/** The bridges of this host that lans are joined with: desired ports on disk, which outlive the agent. */
class BridgeKind implements AgentKind<Bridge> {
  readonly kind = "bridge";
  readonly oneAtATime = true;
  readonly refreshMs = refreshMs;
  readonly #context: AgentContext;
  readonly #joins: JoinNetworks;
  readonly #healing: Healing<Bridge>;

  constructor(context: AgentContext, joins: JoinNetworks) {
    this.#context = context;
    this.#joins = joins;
    this.#healing = new Healing(context, {
      ...{ kind: "bridge", told: "the bridges" },
      missing: (bridge) => this.#joins.missing(this.#toConfig(bridge)),
      ensure: (bridge) => this.ensure(bridge),
    });
  }

  check(wanted: BridgeSpec | undefined, before: BridgeSpec | undefined): Checked<Bridge> {
    return checkBridge(wanted, before);
  }

  uses({ spec: { lan } }: Whole<Bridge>): readonly Reference[] {
    const remedy = "create it first, or list them with: zor get lans";
    return lan === "" ? [] : [{ kind: "lan", id: lan, remedy }];
  }

  admit(bridge: Whole<Bridge>, others: readonly Whole<Bridge>[]): void {
    this.#assertAllowed(bridge);
    const { name, spec } = bridge;
    const twin = others.find(
      (other) => spec.lan !== "" && other.spec.lan === spec.lan && other.spec.bridge === spec.bridge,
    );
    if (twin === undefined) return;
    const why = `${twin.name} joins lan ${spec.lan} with ${spec.bridge} already, and two would be a loop`;
    throw failedPrecondition("LOOP", name, `${name}: ${why}; choose another lan or another bridge`);
  }

  async examine(bridge: Whole<Bridge>): Promise<void> {
    this.#assertAllowed(bridge);
    await this.#joins.examine(this.#toConfig(bridge));
  }

  async ensure(bridge: Whole<Bridge>): Promise<void> {
    // What was allowed when it was made may be so no more.
    this.#assertAllowed(bridge);
    await this.#joins.ensure(this.#toConfig(bridge));
    this.#healing.made(bridge.uid);
  }

  async remove(bridge: Whole<Bridge>): Promise<void> {
    await this.#joins.remove(this.#toConfig(bridge));
    this.#healing.forget(bridge.uid);
  }

  observe(bridge: Whole<Bridge>, failure: string): BridgeStatus {
    const { type, mtu, port, device } = this.#joins.facts(bridge.uid);
    const reason = this.#healing.faultOf(bridge.uid) ?? failure;
    return {
      state: reason === "" ? BridgeState.BRIDGE_STATE_READY : BridgeState.BRIDGE_STATE_BROKEN,
      reason,
      type: type === undefined ? BridgeType.BRIDGE_TYPE_UNSPECIFIED : types[type],
      ...{ port, device },
      mtu: mtu ?? 0,
      note: mtuNote(this.#toConfig(bridge), mtu),
    };
  }

  async refresh(kept: Kept<Bridge>): Promise<void> {
    await this.#healing.run(kept);
  }

  #toConfig({ name, uid, spec }: Whole<Bridge>): JoinConfig {
    const mtu = this.#context.references.find("lan", spec.lan)?.spec?.mtu ?? usualMtu;
    return { ...spec, name, uid, mtu };
  }

  /** What the agent's own settings say. @throws {ZorError} PERMISSION_DENIED */
  #assertAllowed({ name, spec: { bridge } }: Whole<Bridge>): void {
    if (mayJoin(this.#context.settings.bridges, bridge)) return;
    const remedy = "the agent's setting bridges could let it";
    throw permissionDenied(`${name}: this host lets no lan be joined with ${bridge}; ${remedy}`, name);
  }
}

function mtuNote({ lan, mtu, bridge }: JoinConfig, bridgeMtu: number | undefined): string {
  if (lan === "" || bridgeMtu === undefined || bridgeMtu >= mtu) return "";
  return `packets of more than ${bridgeMtu} bytes do not get into ${bridge}, and lan ${lan} has an MTU of ${mtu}`;
}

/** Bridges of the host that lans are joined with, for the list of kinds. */
export const bridgeKind = keptKind<Bridge, AgentContext>("bridge", (context) => {
  const { joins } = context.parts.network;
  return joins === undefined ? undefined : new BridgeKind(context, joins);
});
