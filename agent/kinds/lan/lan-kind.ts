import { failedPrecondition, notFound, permissionDenied } from "../../../lib/errors.js";
import type { Handlers } from "../../../lib/grpc/service.js";
import { EventSeverity } from "../../../proto/gen/zor/v1/event.js";
import { type Lan, type LanPort, LanSpec, type LanStatus } from "../../../proto/gen/zor/v1/lan.js";
import { GetLanFiltersResponse, LanServiceService } from "../../../proto/gen/zor/v1/lan_service.js";
import type { EventDraft } from "../../kit/events.js";
import { HostScope } from "../../kit/host-scope.js";
import { keptKind } from "../../kit/kept-kind.js";
import type { AgentKind, Checked, Kept, Whole } from "../../kit/kind.js";
import { type ServiceMethods, serve } from "../../kit/serve.js";
import type { FlowChange, FlowKeeper } from "../../network/flows/flow-keeper.js";
import { examineFlows } from "../../network/flows/flow-parser.js";
import { specFlowBuild } from "../../network/flows/spec-flows.js";
import { checkLanSettings } from "../../network/lans/lan-check.js";
import type { PortChange } from "../../network/lans/port-faults.js";
import { rspanFlowBuild } from "../../network/lans/rspan-flows.js";
import type { ObservedLan, ObservedPort } from "../../network/observed-lan.js";
import { assertWithoutFlows } from "../../network/outlets/controlled-ports.js";
import type { OutletLan } from "../../network/outlets/lan-outlets.js";
import type { OutletChange } from "../../network/outlets/outlets.js";
import type { AgentContext, NetworkPart } from "../../parts.js";

/** What the lans need of the agent around them. */
export interface LanKindOptions {
  /** The lans of the switch. */
  readonly network: Pick<
    NetworkPart,
    "lans" | "onChange" | "onPortChange" | "onHealed" | "heard" | "flows" | "filters" | "outlets"
  >;
  /** Id of the host. */
  readonly host: string;
  /** Tells watchers that something happened. */
  readonly emit: (event: EventDraft) => void;
  readonly now: () => Date;
}

const defaultMtu = 1500;
const mtuRange = { min: 576, max: 9216 } as const;
/** Watchers see the counters of ports this often. */
const refreshMs = 5000;

/** The lans of this host: desired ones on disk, observed ones from the switch. */
export class LanKind implements AgentKind<Lan> {
  readonly kind = "lan";
  // What is plugged in has the MTU of the lan.
  readonly changeable = [
    ...["labels", "annotations", "spec.rstp", "spec.rstp_settings"],
    ...["spec.flood", "spec.multicast_snooping", "spec.flows", "spec.rspans"],
    ...["spec.controller", "spec.flow_export"],
  ];
  readonly refreshMs = refreshMs;
  readonly #options: LanKindOptions;
  #stops: readonly (() => void)[] = [];

  constructor(options: LanKindOptions) {
    this.#options = options;
  }

  check(wanted: LanSpec | undefined, before?: LanSpec): Checked<Lan> {
    const asked = wanted ?? LanSpec.fromPartial({});
    const mtu = asked.mtu === 0 ? defaultMtu : asked.mtu;
    const description = `${mtu} bytes is not between ${mtuRange.min} and ${mtuRange.max}`;
    const isGood = mtu >= mtuRange.min && mtu <= mtuRange.max;
    const spec = { ...asked, mtu };
    const violations = isGood ? [] : [{ field: "lan.spec.mtu", description }];
    return { spec, violations: [...violations, ...checkLanSettings(spec, before)] };
  }

  async verify(lan: Whole<Lan>): Promise<void> {
    const { name, spec } = lan;
    const refusal = this.#options.network.outlets?.refusal(toOutlets(lan));
    if (refusal !== undefined) throw permissionDenied(`${name}: this host lets no lan ${refusal}`, name);
    if (spec.controller !== undefined) this.#assertNoFlows(idOf(lan));
    await examineFlows("lan.spec.flows", spec.flows);
  }

  async ensure(lan: Whole<Lan>): Promise<void> {
    const { mtu, rstp } = lan.spec;
    const id = idOf(lan);
    const { outlets, flows } = this.#options.network;
    const isControlled = lan.spec.controller !== undefined;
    if (isControlled) this.#assertNoFlows(id);
    // A switch that gets or loses its controllers forgets all flows: what it has by itself is back before it is tested.
    else if (this.#lans.find(id) !== undefined) await outlets?.set(toOutlets(lan));
    await this.#lans.ensureLan({ id, uid: lan.uid, mtu, rstp, settings: lan.spec });
    if (isControlled) {
      await flows?.set(id, "lan", undefined);
      await flows?.set(id, "rspan", undefined);
    }
    await outlets?.set(toOutlets(lan));
    if (isControlled) return;
    await flows?.set(id, "lan", specFlowBuild(lan.spec.flows));
    await flows?.set(id, "rspan", rspanFlowBuild(lan.spec.rspans));
  }

  async remove(lan: Whole<Lan>): Promise<void> {
    const id = idOf(lan);
    await this.#lans.deleteLan(id);
    await this.#options.network.outlets?.forget(id);
  }

  async refresh(): Promise<void> {
    await this.#options.network.outlets?.refresh();
  }

  /** @throws {ZorError} FAILED_PRECONDITION: what is plugged in needs flows of ours. */
  #assertNoFlows(id: string): void {
    for (const { endpoint, settings } of this.#lans.find(id)?.ports ?? []) {
      assertWithoutFlows({ endpoint, settings, lan: id });
    }
  }

  observe(lan: Whole<Lan>, failure: string): LanStatus {
    const observed = this.#lans.find(idOf(lan));
    const missing = failure === "" ? "the switch does not have it" : failure;
    return {
      datapath: observed?.datapath ?? "",
      ports: (observed?.ports ?? []).map((port) => this.#toLanPort(port)),
      reason: observed === undefined ? missing : observed.reason,
      observeTime: this.#options.now(),
      rstp: observed?.rstp,
      ...(this.#options.network.outlets?.observe(idOf(lan)) ?? { controllers: [], collectors: [] }),
    };
  }

  users(lan: Whole<Lan>): readonly string[] {
    return this.#lans.find(idOf(lan))?.ports.map(({ endpoint }) => endpoint) ?? [];
  }

  /** Lans the switch has but the disk does not (their files were damaged) carry somebody's frames: they are kept. */
  async begin(kept: Kept<Lan>): Promise<void> {
    for (const observed of this.#lans.list()) await kept.take(toFound(observed));
    const { network } = this.#options;
    const nameOf = (id: string) => kept.all().find(({ resource }) => idOf(resource) === id)?.resource.name;
    await network.outlets?.settle();
    this.#stops = [
      network.onChange(() => kept.publish()),
      network.onPortChange((change) => {
        kept.publish();
        const resource = nameOf(change.lan);
        if (resource !== undefined) this.#options.emit(toEvent(resource, change));
      }),
      network.onHealed?.(({ type, lan, what }) => {
        kept.publish();
        const resource = lan === "" ? `hosts/${this.#options.host}` : nameOf(lan);
        const severity = EventSeverity.EVENT_SEVERITY_WARNING;
        if (resource !== undefined) this.#options.emit({ severity, type, resource, message: what, caller: "" });
      }) ?? (() => undefined),
      network.flows?.onChange((change) => {
        kept.publish();
        const resource = nameOf(change.lan);
        if (resource !== undefined) this.#options.emit(toFlowEvent(resource, change));
      }) ?? (() => undefined),
      network.outlets?.onChange((change) => {
        kept.publish();
        const resource = nameOf(change.lan);
        if (resource !== undefined) this.#options.emit(toOutletEvent(resource, change));
      }) ?? (() => undefined),
    ];
  }

  verbs(kept: Kept<Lan>): readonly ServiceMethods[] {
    const find = (name: string): { readonly id: string; readonly spec: LanSpec; readonly flows: FlowKeeper } => {
      const found = kept.all().find(({ resource }) => resource.name === name)?.resource;
      if (found === undefined) throw notFound(name, "list them with: zor get lans");
      const { flows } = this.#options.network;
      if (flows === undefined) throw failedPrecondition("NO_SWITCH", name, "this host has no Open vSwitch of its own");
      return { id: idOf(found), spec: found.spec, flows };
    };
    const scope = new HostScope(this.#options.host);
    const handlers: Partial<Handlers<typeof LanServiceService>> = {
      getLanFlows: async ({ name }) => {
        const { id, spec, flows } = find(name);
        return { flows: await flows.dump(id, spec.flows) };
      },
      getLanMacs: async ({ name }) => {
        const { id, flows } = find(name);
        return { macs: await flows.macs(id) };
      },
      getLanFilters: async ({ name, endpoint }) => {
        if (endpoint !== "") scope.parseNic("endpoint", endpoint);
        const { id, flows } = find(name);
        const isIn = flows.portsOf(id).some((port) => port.endpoint === endpoint);
        const { filters } = this.#options.network;
        const counted = (await filters?.count(id)) ?? GetLanFiltersResponse.create({});
        if (endpoint === "") return counted;
        const own = counted.filters.filter((filter) => filter.endpoint === endpoint);
        if (own.length === 0 && !isIn) throw notIn(endpoint, name);
        return { ...counted, filters: own };
      },
    };
    return [serve(LanServiceService, handlers)];
  }

  async close(): Promise<void> {
    for (const stop of this.#stops) stop();
  }

  #toLanPort(port: ObservedPort): LanPort {
    const {
      endpoint,
      rxFrames,
      rxBytes,
      txFrames,
      txBytes,
      droppedFrames,
      settings,
      rstp,
      drops,
      bond,
      error: fault,
    } = port;
    const counters = { rxFrames, rxBytes, txFrames, txBytes, droppedFrames };
    const causes = {
      rateDroppedFrames: drops?.rate ?? 0n,
      stormDroppedFrames: drops?.storm ?? 0n,
      guardDroppedFrames: drops?.guard ?? 0n,
      maxMacsDroppedFrames: drops?.maxMacs ?? 0n,
    };
    const heard = this.#options.network.heard?.ofNic(endpoint) ?? [];
    return {
      endpoint,
      port: port.port,
      ...counters,
      ...causes,
      settings,
      fault,
      rstp,
      bond,
      heardAddresses: heard.map((each) => each.address),
    };
  }

  get #lans(): NetworkPart["lans"] {
    return this.#options.network.lans;
  }
}

/** Lans, for the list of kinds. */
export const lanKind = keptKind<Lan, AgentContext>(
  "lan",
  ({ parts, now, publisher, host }) =>
    new LanKind({ network: parts.network, host, now, emit: (event) => publisher.event(event) }),
);

function notIn(endpoint: string, lan: string): Error {
  const remedy = `see what is with: zor describe lan ${lan}`;
  return failedPrecondition("NIC_NOT_PLUGGED", endpoint, `${endpoint} is not plugged into ${lan} now: ${remedy}`);
}

function toFound({ id, uid }: ObservedLan) {
  const spec = LanSpec.fromPartial({ mtu: defaultMtu });
  return { id, uid, spec, createTime: undefined, where: "it was found at the switch" };
}

function idOf({ name }: Lan): string {
  return name.slice(name.lastIndexOf("/") + 1);
}

function toOutlets(lan: Whole<Lan>): OutletLan {
  const { controller, flowExport } = lan.spec;
  return { id: idOf(lan), uid: lan.uid, controller, flowExport };
}

function toOutletEvent(resource: string, { type, message }: OutletChange): EventDraft {
  const { EVENT_SEVERITY_INFO, EVENT_SEVERITY_WARNING } = EventSeverity;
  const severity = type === "controller-connected" ? EVENT_SEVERITY_INFO : EVENT_SEVERITY_WARNING;
  return { severity, type: `lan.${type}`, resource, message, caller: "" };
}

function toEvent(resource: string, { endpoint, fault, isViolation }: PortChange): EventDraft {
  if (fault === "") {
    const message = `${endpoint}: its port does what its settings say again`;
    return { severity: EventSeverity.EVENT_SEVERITY_INFO, type: "lan.port-restored", resource, message, caller: "" };
  }
  const severity = EventSeverity.EVENT_SEVERITY_WARNING;
  const type = isViolation === true ? "lan.port-violation" : "lan.port-changed";
  return { severity, type, resource, message: `${endpoint}: ${fault}`, caller: "" };
}

function toFlowEvent(resource: string, { fault, healed }: FlowChange): EventDraft {
  const isWarning = fault !== "" || healed !== "";
  const { EVENT_SEVERITY_INFO, EVENT_SEVERITY_WARNING } = EventSeverity;
  const severity = isWarning ? EVENT_SEVERITY_WARNING : EVENT_SEVERITY_INFO;
  const message = fault !== "" ? fault : healed !== "" ? healed : "its flows are as they should be again";
  const type = fault === "" ? "lan.flows-restored" : "lan.flows-changed";
  return { severity, type, resource, message, caller: "" };
}
