import { pause } from "../../../lib/backoff.js";
import { failedPrecondition, type FieldViolation, notFound } from "../../../lib/errors.js";
import { checkImpairment, checkSchedule } from "../../../lib/impairment.js";
import type { Log } from "../../../lib/log.js";
import { parseName, quote } from "../../../lib/names.js";
import { EventSeverity } from "../../../proto/gen/zor/v1/event.js";
import { type Wire, type WireEnd, type WireSpec, WireState, type WireStatus } from "../../../proto/gen/zor/v1/wire.js";
import type { EventDraft } from "../../kit/events.js";
import { keptKind } from "../../kit/kept-kind.js";
import { DropFilters } from "../../cable/drop-filters.js";
import type { AgentKind, Carrying, Checked, Kept, Reference, Whole } from "../../kit/kind.js";
import type { References } from "../../kit/references.js";
import type { LanPorts } from "../../network/wires/lan-ports.js";
import { lanEnd, nicInLan, nicInWire, type ObservedWire, type WireConfig } from "../../network/wires/wire-ends.js";
import type { Wires } from "../../network/wires/wires.js";
import type { AgentContext } from "../../parts.js";
import { dropFiltersOf, isImpaired, orNone, WireBoxes } from "./wire-boxes.js";

/** What the wires need of the agent around them. */
interface WireKindOptions {
  readonly host: string;
  /** State directory of the agent. */
  readonly state: string;
  /** Whether this host has a cable engine. */
  readonly hasEngine: boolean;
  readonly log: Log;
  readonly wires: Pick<Wires, "assertAble" | "ensure" | "remove" | "observe" | "onChange" | "setMiddle" | "examine">;
  /** Undefined: wires end at no lan. */
  readonly lanPorts: Pick<LanPorts, "ensure" | "remove" | "isThere"> | undefined;
  readonly references: Pick<References, "find">;
  readonly event: (draft: EventDraft) => void;
  readonly now: () => Date;
}

const defaultMtu = 1500;
/** What wires can end at beside NICs, by collection. */
const endKinds: ReadonlyMap<string, "tap" | "phy" | "lan"> = new Map([
  ["taps", "tap"],
  ["phys", "phy"],
  ["lans", "lan"],
]);
const mtuRange = { min: 576, max: 9216 } as const;
/** So long a change waits until frames pass as it says; what is not ready then becomes so later, and says so. */
const settleMs = 5_000;
const settlePollMs = 20;

/** The wires of this host: desired ones on disk, carried out by the kernel, which goes on without the agent. */
class WireKind implements AgentKind<Wire> {
  readonly kind = "wire";
  // Two of them must not come to the same NIC side by side.
  readonly oneAtATime = true;
  readonly #options: WireKindOptions;
  /** State of each wire and since when, by uid. */
  readonly #states = new Map<string, { readonly state: WireState; readonly since: Date }>();
  readonly #dropFilters: DropFilters;
  readonly #ended = new AbortController();
  #stop: (() => void) | undefined;
  #boxes: WireBoxes | undefined;

  constructor(options: WireKindOptions) {
    this.#options = options;
    this.#dropFilters = new DropFilters(options.host);
  }

  check(wanted: WireSpec | undefined): Checked<Wire> {
    const { a = "", b = "", cut = false, keepCarrier = false, mtu: asked = 0 } = wanted ?? {};
    const mtu = asked === 0 ? defaultMtu : asked;
    const violations: FieldViolation[] = [];
    if (mtu < mtuRange.min || mtu > mtuRange.max)
      violations.push({
        field: "wire.spec.mtu",
        description: `${mtu} bytes is not between ${mtuRange.min} and ${mtuRange.max}`,
      });
    for (const [field, nic] of Object.entries({ a, b })) {
      const description = this.#whyNoEnd(nic);
      if (description !== "") violations.push({ field: `wire.spec.${field}`, description });
    }
    if (a !== "" && a === b)
      violations.push({ field: "wire.spec.b", description: "is what is at the first end; a wire joins two" });
    else if (isLan(a) && isLan(b))
      violations.push({
        field: "wire.spec.b",
        description: "is a lan as the first end is: lans are joined with links",
      });
    const { aToB, bToA, seed = 0n, schedule = [] } = wanted ?? {};
    violations.push(
      ...checkImpairment("wire.spec.a_to_b", aToB),
      ...checkImpairment("wire.spec.b_to_a", bToA),
      ...checkSchedule("wire.spec.schedule", schedule),
    );
    const impairments = { aToB: orNone(aToB), bToA: orNone(bToA), seed, schedule };
    return { spec: { a, b, cut, keepCarrier, mtu, ...impairments }, violations };
  }

  /** Filters that were there before are not tried again. */
  async verify({ spec }: Whole<Wire>, before: WireSpec | undefined): Promise<void> {
    const had = [before?.a, before?.b];
    for (const end of [spec.a, spec.b]) if (!had.includes(end)) await this.#options.wires.examine(end);
    const known = before === undefined ? [] : dropFiltersOf(before);
    await this.#dropFilters.checkNew(dropFiltersOf(spec), known, this.#ended.signal);
  }

  /** What is plugged in as a whole stays while it is; an instance may go and come back. */
  uses({ spec: { a, b } }: Whole<Wire>): readonly Reference[] {
    return [a, b].flatMap((end) => {
      const [, , collection = "", id = ""] = end.split("/");
      const kind = endKinds.get(collection);
      return kind === undefined ? [] : [{ kind, id, remedy: `list them with: zor get ${collection}` }];
    });
  }

  /** An instance may go, and come back: only what is plugged in now must be there. */
  admit({ name, spec }: Whole<Wire>, others: readonly Whole<Wire>[]): void {
    const before = this.#find(name)?.spec;
    for (const nic of [spec.a, spec.b]) {
      if (nic === "") continue;
      const holder = isLan(nic) ? undefined : others.find((other) => other.spec.a === nic || other.spec.b === nic);
      if (holder !== undefined) throw nicInWire(nic, holder.name);
      if (before?.a !== nic && before?.b !== nic) this.#assertPluggable(nic);
    }
  }

  async examine(): Promise<void> {
    await this.#options.wires.assertAble();
  }

  async ensure(wire: Whole<Wire>, { generation }: Carrying): Promise<void> {
    if (isImpaired(wire.spec) && !this.#options.hasEngine)
      throw failedPrecondition("NO_ENGINE", wire.name, "this host has no cable engine, which impairs frames");
    const lan = [wire.spec.a, wire.spec.b].find(isLan);
    if (lan !== undefined) await this.#ensureLanPort(wire, lan);
    await this.#options.wires.ensure(toConfig(wire));
    if (lan === undefined) await this.#options.lanPorts?.remove(wire.uid);
    await this.#boxes?.follow(wire, generation);
  }

  async settle({ uid, spec }: Whole<Wire>, { generation }: Carrying): Promise<void> {
    const { a, b, fault } = this.#options.wires.observe(uid) ?? {};
    if (!isImpaired(spec) || spec.cut || a?.port === "" || b?.port === "" || fault === undefined) return;
    const deadline = performance.now() + settleMs;
    const { signal } = this.#ended;
    const isSettling = (): boolean =>
      this.#boxes?.isSettling(uid, generation) === true || this.#options.wires.observe(uid)?.fault !== "";
    while (isSettling() && performance.now() < deadline && !signal.aborted) await pause(settlePollMs, signal);
  }

  async remove(wire: Whole<Wire>): Promise<void> {
    await this.#options.wires.remove(wire.uid);
    await this.#options.lanPorts?.remove(wire.uid);
    await this.#boxes?.remove(wire);
    this.#states.delete(wire.uid);
  }

  observe({ uid, spec }: Whole<Wire>, failure: string): WireStatus {
    const seen = this.#options.wires.observe(uid);
    const box = isImpaired(spec) ? this.#boxes?.find(uid)?.status : undefined;
    const fault = failure === "" ? this.#faultOf(uid, spec, seen) : failure;
    const state = fault === "" ? WireState.WIRE_STATE_ACTIVE : WireState.WIRE_STATE_DOWN;
    const reason = fault === "" && seen !== undefined ? remarkOn(seen) : fault;
    return {
      ...{ state, reason, sinceTime: this.#since(uid, state), endA: endOf(seen?.a), endB: endOf(seen?.b) },
      ...{ aToB: box?.aToB, bToA: box?.bToA, currentAToB: box?.currentAToB, currentBToA: box?.currentBToA },
      ...{ enginePid: box?.enginePid ?? 0n, seed: box?.seed ?? 0n },
    };
  }

  #faultOf(uid: string, spec: WireSpec, seen: ObservedWire | undefined): string {
    const boxes = isImpaired(spec) ? this.#boxes : undefined;
    // An end that is away is what people can do something about.
    const isWhole = !spec.cut && seen?.a.port !== "" && seen?.b.port !== "";
    const fault = boxes === undefined || !isWhole ? "" : boxes.faultOf(uid);
    return fault === "" ? (seen?.fault ?? "it is being made") : fault;
  }

  async begin(kept: Kept<Wire>): Promise<void> {
    const { host, state, wires, log, hasEngine } = this.#options;
    const boxes = {
      ...{ host, state, wires, log },
      wanted: () => kept.all().map(({ resource, carrying }) => ({ wire: resource, generation: carrying.generation })),
      exclusively: (work: () => Promise<void>) => kept.exclusively(work),
      onChange: (uids: readonly string[] | undefined) => kept.publish(uids === undefined ? undefined : new Set(uids)),
    };
    if (hasEngine) this.#boxes = new WireBoxes(boxes);
    this.#stop = this.#options.wires.onChange((uid, news) => {
      kept.publish(new Set([uid]));
      if (news === "changed") return;
      const wire = kept.all().find(({ resource }) => resource.uid === uid)?.resource;
      if (wire === undefined) return;
      this.#options.event(eventOf(wire, news, this.#options.wires.observe(uid)?.fault ?? ""));
      if (news === "faulty") void this.#healLanPort(wire, kept);
    });
  }

  async close(): Promise<void> {
    this.#ended.abort();
    this.#stop?.();
    await this.#boxes?.close();
  }

  #since(uid: string, state: WireState): Date {
    const before = this.#states.get(uid);
    if (before?.state === state) return before.since;
    const since = this.#options.now();
    this.#states.set(uid, { state, since });
    return since;
  }

  #whyNoEnd(nic: string): string {
    if (nic === "") return "";
    const own = `hosts/${this.#options.host}`;
    const forms = `"${own}/instances/{instance}/nics/{nic}", "${own}/taps/{tap}", "${own}/phys/{phy}" or "${own}/lans/{lan}"`;
    const form = `${quote(nic)} is not ${forms}`;
    try {
      const parsed = parseName("nic", nic);
      const isEnd = parsed.kind === "nic" || (parsed.kind === "onHost" && endKinds.has(parsed.collection));
      return isEnd && parsed.host === this.#options.host ? "" : form;
    } catch {
      return form;
    }
  }

  #assertPluggable(nic: string): void {
    const [, , collection = "", id = "", , name = ""] = nic.split("/");
    const kind = endKinds.get(collection);
    if (kind === "tap" || kind === "phy") {
      const lan = this.#options.references.find(kind, id)?.spec?.lan ?? "";
      if (lan !== "") throw nicInLan(nic, lan);
    }
    // What is not there is told by what refers to it.
    if (kind !== undefined) return;
    const instance = this.#options.references.find("instance", id);
    if (instance === undefined)
      throw notFound(nic.slice(0, nic.lastIndexOf("/nics/")), "list them with: zor get instances");
    const found = instance.spec?.nics.find((each) => each.name === name);
    const names = instance.spec?.nics.map((each) => each.name).join(", ");
    if (found === undefined) throw notFound(nic, `it has ${names === undefined || names === "" ? "no NICs" : names}`);
    if (found.lan !== "") throw nicInLan(nic, found.lan);
  }

  async #ensureLanPort({ name, uid }: Whole<Wire>, lan: string): Promise<void> {
    const { lanPorts, references } = this.#options;
    if (lanPorts === undefined) throw failedPrecondition("NO_LAN_PORTS", name, "wires of this host cannot end at lans");
    const mtu = references.find("lan", lan.slice(lan.lastIndexOf("/") + 1))?.spec?.mtu ?? defaultMtu;
    await lanPorts.ensure({ uid, name, lan, mtu });
  }

  /** A NIC comes back with its instance, a port of ours at once. Never rejects. */
  async #healLanPort(wire: Whole<Wire>, kept: Kept<Wire>): Promise<void> {
    const heal = async (): Promise<void> => {
      const now = kept.all().find(({ resource }) => resource.uid === wire.uid)?.resource;
      const lan = now === undefined ? undefined : [now.spec.a, now.spec.b].find(isLan);
      if (now === undefined || lan === undefined) return;
      if (this.#options.lanPorts?.isThere({ uid: now.uid, lan }) !== true) await this.#ensureLanPort(now, lan);
    };
    await kept.exclusively(heal).catch((error: unknown) => {
      this.#options.log.warn({ err: error, wire: wire.name }, "the port of a wire in its lan could not be made again");
    });
  }

  #find(name: string): Wire | undefined {
    return this.#options.references.find("wire", name.slice(name.lastIndexOf("/") + 1));
  }
}

/** Wires, for the list of kinds. */
export const wireKind = keptKind<Wire, AgentContext>(
  "wire",
  ({ host, state, parts, references, publisher, log, now }) => {
    const { wires, lanPorts } = parts.network;
    const hasEngine = parts.cables !== undefined;
    const event = (draft: EventDraft): void => publisher.event(draft);
    return wires === undefined
      ? undefined
      : new WireKind({ host, state, hasEngine, wires, lanPorts, references, event, log, now });
  },
);

function isLan(end: string): boolean {
  return end.split("/")[2] === "lans";
}

/** Nobody has asked for it: somebody else has changed what the wire is made of. */
function eventOf({ name: resource, spec }: Whole<Wire>, news: "healed" | "faulty", fault: string): EventDraft {
  const isHealed = news === "healed";
  // The engine's taps go with it.
  const who = isImpaired(spec) ? "it had been taken apart" : "somebody else had taken it apart";
  return {
    severity: isHealed ? EventSeverity.EVENT_SEVERITY_INFO : EventSeverity.EVENT_SEVERITY_WARNING,
    ...{ type: `wire.${news}`, resource, caller: "" },
    message: isHealed ? `${who}; frames pass again` : fault,
  };
}

function toConfig({ name, uid, spec }: Whole<Wire>): WireConfig {
  const { cut, keepCarrier, mtu } = spec;
  const [a = "", b = ""] = [spec.a, spec.b].map((end) => (isLan(end) ? lanEnd(end, uid) : end));
  return { name, uid, a, b, cut, keepCarrier, mtu, isSplit: isImpaired(spec) };
}

function endOf(end: ObservedWire["a"] | undefined): WireEnd {
  return { port: end?.port ?? "", carrier: end?.carrier ?? false, mtu: end?.mtu ?? 0 };
}

/** What is odd about a wire that works. */
function remarkOn({ a, b }: ObservedWire): string {
  return a.mtu === b.mtu
    ? ""
    : `its ends differ in MTU, ${a.mtu} and ${b.mtu} bytes: longer packets than the smaller are lost; start the instances again`;
}
