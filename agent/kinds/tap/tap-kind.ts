import { permissionDenied } from "../../../lib/errors.js";
import { type Tap, type TapSpec, TapState, type TapStatus } from "../../../proto/gen/zor/v1/tap.js";
import { Healing } from "../../kit/healing.js";
import { keptKind } from "../../kit/kept-kind.js";
import type { AgentKind, Checked, Kept, Reference, Whole } from "../../kit/kind.js";
import { tapRefusal } from "../../network/taps/tap-policy.js";
import { type TapConfig, type TapNetworks, tapFacts } from "../../network/taps/taps.js";
import { assertInOne, linksAt } from "../../network/wires/wire-ends.js";
import type { Wires } from "../../network/wires/wires.js";
import type { AgentContext } from "../../parts.js";
import { checkTap } from "./tap-spec.js";

/** The interfaces are looked at this often: whoever may remove one is not asked. */
const refreshMs = 2000;
const usualMtu = 1500;

/** The taps of this host: desired ones on disk, interfaces that outlive the agent. */
class TapKind implements AgentKind<Tap> {
  readonly kind = "tap";
  readonly oneAtATime = true;
  readonly refreshMs = refreshMs;
  readonly #context: AgentContext;
  readonly #taps: TapNetworks;
  readonly #healing: Healing<Tap>;
  readonly #wires: Wires | undefined;

  constructor(context: AgentContext, taps: TapNetworks) {
    this.#context = context;
    this.#taps = taps;
    this.#wires = context.parts.network.wires;
    this.#healing = new Healing(context, {
      ...{ kind: "tap", told: "the taps" },
      missing: (tap) => this.#taps.missing(this.#toConfig(tap)),
      ensure: (tap) => this.ensure(tap),
    });
  }

  check(wanted: TapSpec | undefined, before: TapSpec | undefined): Checked<Tap> {
    return checkTap(wanted, before);
  }

  uses({ spec: { lan } }: Whole<Tap>): readonly Reference[] {
    const remedy = "create it first, or list them with: zor get lans";
    return lan === "" ? [] : [{ kind: "lan", id: lan, remedy }];
  }

  admit(tap: Whole<Tap>): void {
    this.#assertAllowed(tap);
    assertInOne(tap, this.#wires);
  }

  /** Links are the hub's, and refer to nothing here. */
  users({ name }: Whole<Tap>): readonly string[] {
    return linksAt(name, this.#wires);
  }

  async begin(): Promise<void> {
    await this.#wires?.settle("taps");
  }

  async examine(tap: Whole<Tap>): Promise<void> {
    this.#assertAllowed(tap);
    await this.#taps.examine(this.#toConfig(tap));
  }

  async ensure(tap: Whole<Tap>): Promise<void> {
    // What was allowed when it was made may be so no more.
    this.#assertAllowed(tap);
    await this.#taps.ensure(this.#toConfig(tap));
    this.#healing.made(tap.uid);
  }

  async remove(tap: Whole<Tap>): Promise<void> {
    await this.#taps.remove(tap);
    this.#healing.forget(tap.uid);
  }

  observe(tap: Whole<Tap>, failure: string): TapStatus {
    const missing = this.#taps.missing(this.#toConfig(tap));
    const known = this.#healing.faultOf(tap.uid) ?? failure;
    const reason = missing === "" || known === "" ? missing : known;
    const state = reason === "" ? TapState.TAP_STATE_READY : TapState.TAP_STATE_BROKEN;
    return { state, reason, ...tapFacts({ uid: tap.uid, mac: tap.spec.mac }) };
  }

  async refresh(kept: Kept<Tap>): Promise<void> {
    await this.#healing.run(kept);
  }

  #toConfig({ name, uid, spec }: Whole<Tap>): TapConfig {
    const lan = this.#context.references.find("lan", spec.lan);
    return { ...spec, name, uid, mtu: lan?.spec?.mtu ?? this.#wires?.mtuOf(name) ?? usualMtu };
  }

  /** What the agent's own settings say. @throws {ZorError} PERMISSION_DENIED */
  #assertAllowed({ name, spec }: Whole<Tap>): void {
    const refusal = tapRefusal(this.#context.settings.taps, spec);
    if (refusal === undefined) return;
    throw permissionDenied(`${name}: this host lets no tap be ${refusal}; the agent's setting taps could`, name);
  }
}

/** Taps, for the list of kinds. */
export const tapKind = keptKind<Tap, AgentContext>("tap", (context) => {
  const { taps } = context.parts.network;
  return taps === undefined ? undefined : new TapKind(context, taps);
});
