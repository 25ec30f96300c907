import { toMs } from "../../../lib/duration.js";
import { failedPrecondition, notFound, permissionDenied, ZorError } from "../../../lib/errors.js";
import { EventSeverity } from "../../../proto/gen/zor/v1/event.js";
import { type Phy, type PhySpec, PhyState, type PhyStatus } from "../../../proto/gen/zor/v1/phy.js";
import { PhyServiceService } from "../../../proto/gen/zor/v1/phy_service.js";
import { toldOf } from "../../host/told.js";
import { keptKind } from "../../kit/kept-kind.js";
import type { AgentKind, Checked, Kept, Reference, Whole } from "../../kit/kind.js";
import { type ServiceMethods, serve } from "../../kit/serve.js";
import { phyRefusal } from "../../network/phys/phy-policy.js";
import type { PhyConfig, PhyNetworks, PhyView } from "../../network/phys/phys.js";
import { assertInOne, type EndKeeper, linksAt } from "../../network/wires/wire-ends.js";
import type { Wires } from "../../network/wires/wires.js";
import type { AgentContext } from "../../parts.js";
import { checkPhy, wayOf } from "./phy-spec.js";

/** The interfaces are looked at this often: a cable that is pulled asks nobody. */
const refreshMs = 2000;
const usualMtu = 1500;

const states: Readonly<Record<PhyView["state"], PhyState>> = {
  ready: PhyState.PHY_STATE_READY,
  unplugged: PhyState.PHY_STATE_UNPLUGGED,
  broken: PhyState.PHY_STATE_BROKEN,
  "given back": PhyState.PHY_STATE_GIVEN_BACK,
};

/** The phys of this host: desired ones on disk, interfaces that stay where they are without the agent. */
class PhyKind implements AgentKind<Phy> {
  readonly kind = "phy";
  readonly oneAtATime = true;
  readonly refreshMs = refreshMs;
  readonly #context: AgentContext;
  readonly #phys: PhyNetworks;
  readonly #wires: Wires | undefined;
  /** Why some could not be taken in again, by uid. */
  readonly #faults = new Map<string, string>();
  #kept: Kept<Phy> | undefined;
  /** How they were when they were looked at last, by uid. */
  readonly #seen = new Map<string, PhyView["state"]>();

  constructor(context: AgentContext, phys: PhyNetworks) {
    this.#context = context;
    this.#phys = phys;
    this.#wires = context.parts.network.wires;
  }

  check(wanted: PhySpec | undefined, before: PhySpec | undefined): Checked<Phy> {
    return checkPhy(wanted, before);
  }

  uses({ spec: { lan } }: Whole<Phy>): readonly Reference[] {
    const remedy = "create it first, or list them with: zor get lans";
    return lan === "" ? [] : [{ kind: "lan", id: lan, remedy }];
  }

  admit(phy: Whole<Phy>, others: readonly Whole<Phy>[]): void {
    this.#assertAllowed(phy);
    assertInOne(phy, this.#wires);
    this.#assertFree(phy, others);
  }

  /** Links are the hub's, and refer to nothing here. */
  users({ name }: Whole<Phy>): readonly string[] {
    return linksAt(name, this.#wires);
  }

  async examine(phy: Whole<Phy>): Promise<void> {
    this.#assertAllowed(phy);
    // An interface that another one has is not where it is looked for.
    this.#assertFree(phy, this.#all());
    await this.#phys.examine(this.#toConfig(phy));
  }

  async ensure(phy: Whole<Phy>): Promise<void> {
    // What was allowed when it was made may be so no more.
    if (this.#isTaken(phy)) this.#assertAllowed(phy);
    await this.#phys.ensure(this.#toConfig(phy));
    this.#faults.delete(phy.uid);
  }

  async restore(phy: Whole<Phy>): Promise<void> {
    // Which links there are may not be known yet; one that is in no wire is given back in a moment.
    if (!this.#isTaken(phy)) return;
    await this.ensure(phy).catch((error: unknown) => {
      // Its state says so.
      if (!(error instanceof ZorError && error.reason === "PHY_GIVEN_BACK")) throw error;
    });
  }

  async begin(kept: Kept<Phy>): Promise<void> {
    this.#kept = kept;
    await this.#wires?.settle("phys");
    const known = new Set(kept.all().map(({ resource }) => resource.uid));
    const told = await this.#phys.giveBackOrphans(known).catch((error: unknown) => {
      this.#context.logError(
        error,
        "interfaces of phys that are gone could not be given back; the next start tries again",
      );
      return [];
    });
    for (const text of told) this.#context.log.warn(text);
  }

  async remove(phy: Whole<Phy>): Promise<void> {
    const { name, spec } = phy;
    const lost = await this.#phys.remove(this.#toConfig(phy));
    this.#forget(phy);
    if (lost.length > 0)
      this.#tell(phy, "given-back", `${spec.device} of ${name} went back without: ${lost.join(", ")}`);
  }

  observe(phy: Whole<Phy>, failure: string): PhyStatus {
    const view = this.#phys.look(this.#toConfig(phy));
    const fault = view.isWhole ? "" : (this.#faults.get(phy.uid) ?? failure);
    const { mac, port, mtu, confirmBy } = view;
    return {
      state: states[view.state],
      reason: fault === "" ? view.reason : fault,
      mac,
      port,
      mtu,
      confirmByTime: confirmBy,
    };
  }

  /** Takes in again what came back, and tells what went. */
  /** Its interface is taken in for a wire, or given back after it. */
  keeper(): EndKeeper {
    const find = (name: string): Whole<Phy> | undefined => this.#all().find((phy) => phy.name === name);
    return {
      examine: async (name) => {
        const phy = find(name);
        if (phy === undefined) return;
        this.#assertAllowed(phy);
        this.#assertFree(phy, this.#all(), true);
        await this.#phys.examine({ ...this.#toConfig(phy), isWired: true });
      },
      follow: async (name) => {
        await this.#kept?.exclusively(async () => {
          const phy = find(name);
          if (phy === undefined) return;
          this.#assertFree(phy, this.#all());
          await this.ensure(phy);
        });
        const uid = find(name)?.uid;
        if (uid !== undefined) this.#kept?.publish(new Set([uid]));
      },
    };
  }

  async refresh(kept: Kept<Phy>): Promise<void> {
    await kept
      .exclusively(async () => {
        for (const { resource } of kept.all()) await this.#lookAt(resource);
      })
      .catch((error: unknown) => this.#context.logError(error, "the phys could not be looked at"));
  }

  verbs(kept: Kept<Phy>): readonly ServiceMethods[] {
    const { scope, references } = this.#context;
    return [
      serve(PhyServiceService, {
        confirmPhy: async ({ name, validateOnly }, { caller }) => {
          const id = scope.parse("phy", "name", name);
          const phy = kept.all().find(({ resource }) => resource.name === references.nameOf("phy", id))?.resource;
          if (phy === undefined) throw notFound(references.nameOf("phy", id), "list them with: zor get phys");
          await this.#phys.confirm(this.#toConfig(phy), validateOnly);
          if (!validateOnly) {
            const severity = EventSeverity.EVENT_SEVERITY_INFO;
            const event = { severity, type: "phy.confirmed", resource: phy.name, message: "", caller: caller.identity };
            this.#context.publisher.event(event);
            kept.publish(new Set([phy.uid]));
          }
          return { phy: { ...phy, status: this.observe(phy, "") } };
        },
      }),
    ];
  }

  async #lookAt(phy: Whole<Phy>): Promise<void> {
    const { uid } = phy;
    const config = this.#toConfig(phy);
    if (!this.#isTaken(phy) && this.#phys.isHeld(config)) await this.ensure(phy);
    const rolledBack = await this.#phys.expire(config);
    if (rolledBack !== "") this.#tell(phy, "given-back", rolledBack);
    const before = this.#seen.get(uid);
    const view = this.#phys.look(config);
    this.#seen.set(uid, view.state);
    if (view.state === "unplugged" && before !== "unplugged") this.#tell(phy, "unplugged", view.reason);
    if (view.isWhole) {
      if (view.state === "ready" && before === "unplugged") {
        this.#tell(phy, "healed", `${phy.spec.device} has carrier again`, EventSeverity.EVENT_SEVERITY_INFO);
      }
      return void this.#faults.delete(uid);
    }
    await this.#heal(phy, view);
  }

  async #heal(phy: Whole<Phy>, { reason }: PhyView): Promise<void> {
    const { uid, name } = phy;
    try {
      await this.ensure(phy);
      this.#tell(phy, "healed", `${reason}; it was taken in again`);
      this.#seen.set(uid, this.#phys.look(this.#toConfig(phy)).state);
    } catch (error) {
      if (!this.#faults.has(uid)) this.#context.logError(error, `${name} could not be taken in again; it is tried on`);
      const isGone = error instanceof ZorError && error.reason === "DEVICE_MISSING";
      this.#faults.set(uid, isGone ? reason : `${reason}: ${toldOf(error)}`);
    }
  }

  #tell({ name }: Whole<Phy>, what: string, message: string, severity = EventSeverity.EVENT_SEVERITY_WARNING): void {
    this.#context.publisher.event({ severity, type: `phy.${what}`, resource: name, message, caller: "" });
  }

  #forget({ uid }: Whole<Phy>): void {
    this.#faults.delete(uid);
    this.#seen.delete(uid);
  }

  #toConfig({ name, uid, spec }: Whole<Phy>): PhyConfig {
    const { lan, device, vlanId, mac, portSettings, force } = spec;
    const place = { lan, isWired: this.#isWired(name) };
    const mtu = this.#context.references.find("lan", lan)?.spec?.mtu ?? this.#wires?.mtuOf(name) ?? usualMtu;
    const confirmWithinMs = toMs(spec.confirmWithin);
    return { name, uid, ...place, mtu, device, mode: wayOf(spec), vlanId, mac, portSettings, force, confirmWithinMs };
  }

  #isWired(name: string): boolean {
    return (this.#wires?.holderOf(name) ?? "") !== "";
  }

  /** It is in a lan or in a wire, and not the host's. */
  #isTaken({ name, spec }: Whole<Phy>): boolean {
    return spec.lan !== "" || this.#isWired(name);
  }

  #all(): readonly Whole<Phy>[] {
    return this.#kept?.all().map(({ resource }) => resource) ?? [];
  }

  /** One interface is absorbed once, and stands below many; those that are in nothing are the host's. @throws {ZorError} FAILED_PRECONDITION */
  #assertFree(phy: Whole<Phy>, others: readonly Whole<Phy>[], isTaken = this.#isTaken(phy)): void {
    if (!isTaken) return;
    assertFree(
      phy,
      others.filter((each) => this.#isTaken(each)),
    );
  }

  /** What the agent's own settings say. @throws {ZorError} PERMISSION_DENIED */
  #assertAllowed({ name, spec }: Whole<Phy>): void {
    const refusal = phyRefusal(this.#context.settings.phys, { device: spec.device, mode: wayOf(spec) });
    if (refusal === undefined) return;
    throw permissionDenied(`${name}: this host lets no phy ${refusal}; the agent's setting phys could`, name);
  }
}

/** @param others that are not the host's. @throws {ZorError} FAILED_PRECONDITION */
function assertFree({ name, spec }: Whole<Phy>, others: readonly Whole<Phy>[]): void {
  const { device, vlanId } = spec;
  const way = wayOf(spec);
  const other = others.find((each) => {
    if (each.name === name || each.spec.device !== device) return false;
    const theirs = wayOf(each.spec);
    return way === "absorb" || theirs === "absorb" || (way === "vlan" && theirs === way && each.spec.vlanId === vlanId);
  });
  if (other === undefined) return;
  const message = `${name}: ${device} belongs to ${other.name} already; delete that first, or take another interface`;
  throw failedPrecondition("DEVICE_TAKEN", name, message);
}

/** Phys, for the list of kinds. */
export const phyKind = keptKind<Phy, AgentContext>("phy", (context) => {
  const { phys, wires } = context.parts.network;
  if (phys === undefined) return undefined;
  const kind = new PhyKind(context, phys);
  wires?.keep("phys", kind.keeper());
  return kind;
});
