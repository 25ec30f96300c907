import { failedPrecondition, permissionDenied } from "../../../lib/errors.js";
import { type Vtep, type VtepSpec, VtepState, type VtepStatus } from "../../../proto/gen/zor/v1/vtep.js";
import { Healing } from "../../kit/healing.js";
import { keptKind } from "../../kit/kept-kind.js";
import type { AgentKind, Checked, Kept, Reference, Whole } from "../../kit/kind.js";
import { vtepRefusal } from "../../network/vteps/vtep-policy.js";
import type { VtepConfig, VtepNetworks } from "../../network/vteps/vteps.js";
import type { AgentContext } from "../../parts.js";
import { checkVtep } from "./vtep-spec.js";

/** The devices are looked at this often: whoever may remove one is not asked. */
const refreshMs = 2000;
/** What was heard longer ago proves nothing of now. */
const provenMs = 60_000;

/** The vteps of this host: desired ones on disk, devices that outlive the agent. */
class VtepKind implements AgentKind<Vtep> {
  readonly kind = "vtep";
  readonly oneAtATime = true;
  readonly refreshMs = refreshMs;
  readonly #context: AgentContext;
  readonly #vteps: VtepNetworks;
  readonly #healing: Healing<Vtep>;

  constructor(context: AgentContext, vteps: VtepNetworks) {
    this.#context = context;
    this.#vteps = vteps;
    this.#healing = new Healing(context, {
      ...{ kind: "vtep", told: "the vteps" },
      missing: (vtep) => this.#vteps.missing(toConfig(vtep)),
      ensure: (vtep) => this.ensure(vtep),
    });
  }

  check(wanted: VtepSpec | undefined, before: VtepSpec | undefined): Checked<Vtep> {
    return checkVtep(wanted, before);
  }

  uses({ spec: { lan } }: Whole<Vtep>): readonly Reference[] {
    const remedy = "create it first, or list them with: zor get lans";
    return lan === "" ? [] : [{ kind: "lan", id: lan, remedy }];
  }

  admit(vtep: Whole<Vtep>, others: readonly Whole<Vtep>[]): void {
    this.#assertAllowed(vtep);
    const { name, spec } = vtep;
    const plugged = spec.lan === "" ? [] : others.filter((other) => other.spec.lan !== "");
    const twin = plugged.find((other) => other.spec.vni === spec.vni && other.spec.dstPort === spec.dstPort);
    if (twin === undefined) return;
    const why = `${twin.name} has VNI ${spec.vni} with port ${spec.dstPort} already, and a host has each once`;
    throw failedPrecondition("VNI_TAKEN", name, `${name}: ${why}; choose another VNI or another port`);
  }

  async examine(vtep: Whole<Vtep>): Promise<void> {
    this.#assertAllowed(vtep);
  }

  async ensure(vtep: Whole<Vtep>): Promise<void> {
    // What was allowed when it was made may be so no more.
    this.#assertAllowed(vtep);
    await this.#vteps.ensure(toConfig(vtep));
    this.#healing.made(vtep.uid);
  }

  async remove(vtep: Whole<Vtep>): Promise<void> {
    await this.#vteps.remove(vtep);
    this.#healing.forget(vtep.uid);
  }

  observe(vtep: Whole<Vtep>, failure: string): VtepStatus {
    const { port, route, device, heard } = this.#vteps.facts(vtep.uid);
    const fault = this.#healing.faultOf(vtep.uid) ?? failure;
    const reason = fault === "" ? route.fault : fault;
    const isProven = heard !== undefined && this.#context.now().getTime() - heard.getTime() < provenMs;
    const whole = isProven ? VtepState.VTEP_STATE_UP : VtepState.VTEP_STATE_UNPROVEN;
    return {
      state: reason === "" ? whole : VtepState.VTEP_STATE_BROKEN,
      ...{ reason, port },
      note: this.#mtuNote(vtep, route.maxPacket),
      maxPacket: route.maxPacket ?? 0,
      rxFrames: BigInt(device?.rxFrames ?? 0),
      rxBytes: BigInt(device?.rxBytes ?? 0),
      txFrames: BigInt(device?.txFrames ?? 0),
      txBytes: BigInt(device?.txBytes ?? 0),
      droppedFrames: BigInt(device?.droppedFrames ?? 0),
      heardTime: heard,
    };
  }

  async refresh(kept: Kept<Vtep>): Promise<void> {
    await this.#vteps
      .look(kept.all().map(({ resource }) => toConfig(resource)))
      .catch((error: unknown) => this.#context.logError(error, "the vteps could not be looked at"));
    await this.#healing.run(kept);
  }

  #mtuNote({ spec: { lan, remote } }: Whole<Vtep>, maxPacket: number | undefined): string {
    const mtu = this.#context.references.find("lan", lan)?.spec?.mtu;
    if (mtu === undefined || maxPacket === undefined || maxPacket >= mtu) return "";
    const more = `packets of more than ${maxPacket} bytes do not go to ${remote} whole`;
    return `${more}, and lan ${lan} has an MTU of ${mtu}`;
  }

  /** What the agent's own settings say. @throws {ZorError} PERMISSION_DENIED */
  #assertAllowed({ name, spec }: Whole<Vtep>): void {
    const refusal = vtepRefusal(this.#context.settings.vteps, spec);
    if (refusal === undefined) return;
    throw permissionDenied(`${name}: this host lets no vtep ${refusal}; the agent's setting vteps could`, name);
  }
}

function toConfig({ name, uid, spec }: Whole<Vtep>): VtepConfig {
  return { ...spec, name, uid };
}

/** Vteps, for the list of kinds. */
export const vtepKind = keptKind<Vtep, AgentContext>("vtep", (context) => {
  const { vteps } = context.parts.network;
  return vteps === undefined ? undefined : new VtepKind(context, vteps);
});
