import { failedPrecondition, messageOf, resourceExhausted, ZorError } from "../../../lib/errors.js";
import { mayListen } from "../../../lib/listen-policy.js";
import { EventSeverity } from "../../../proto/gen/zor/v1/event.js";
import { type Expose, ExposeSpec, ExposeState, ExposeStatus } from "../../../proto/gen/zor/v1/expose.js";
import { type Instance, InstanceState } from "../../../proto/gen/zor/v1/instance.js";
import type { HubParts } from "../../kit/hub-kind.js";
import type { HubRecord } from "../../kit/hub-resources.js";
import { carry } from "./carry.js";
import { Door, Room } from "./door.js";
import { limitsOf } from "./expose-check.js";
import { clash } from "./places.js";

/** What exposes need of the hub. */
type Needed = Pick<HubParts, "fleet" | "inventory" | "exposeListen">;

/** An expose as it is stored: of its status only what was decided when it was made. */
export type ExposeRecord = HubRecord<Expose>;

interface Kept {
  record: ExposeRecord;
  readonly door: Door;
  /** What is told of it is told then; undefined: nothing is new. */
  telling: NodeJS.Timeout | undefined;
  toldMs: number;
}

const maxExposes = 256;
const maxConnections = 4096;
/** Figures of busy exposes are told so often, and what changes with them. */
const tellMs = 1000;

/** The declared exposes with their doors, which are opened when the hub serves. */
export class Exposes {
  readonly #parts: Needed;
  readonly #all = new Map<string, Kept>();
  readonly #room = new Room(maxConnections);

  constructor(parts: Needed) {
    this.#parts = parts;
  }

  find(name: string): ExposeRecord | undefined {
    return this.#all.get(name)?.record;
  }

  view(name: string): Expose | undefined {
    return this.#parts.inventory.log.find("expose", name);
  }

  /** As it will be seen once it is stored. */
  preview(record: ExposeRecord): Expose {
    const known = this.#all.get(record.value.name);
    return { ...record.value, status: known === undefined ? fresh(record) : this.#statusOf({ ...known, record }) };
  }

  /** The expose that listens at an "ip:port", or at one that cannot be listened at beside it. */
  holderOf(place: string): string | undefined {
    return [...this.#all.values()].find(({ door }) => clash(door.place, place))?.record.value.name;
  }

  /** @throws {ZorError} when one more cannot be made at that place. */
  admit(name: string, place: string): void {
    if (this.#all.size >= maxExposes) {
      throw resourceExhausted("TOO_MANY_EXPOSES", `the hub has ${maxExposes} exposes already; delete one first`, name);
    }
    const holder = this.holderOf(place);
    if (holder === undefined) return;
    throw failedPrecondition(
      "CANNOT_LISTEN",
      name,
      `${name}: the hub cannot listen at ${place}: ${holder} listens there; choose another`,
    );
  }

  /** Takes in one that was stored by an earlier run. */
  load(record: ExposeRecord): void {
    this.#tell(this.#keep(record));
  }

  /** Takes in one that is stored, new or changed; a new one listens when this resolves. */
  async put(record: ExposeRecord): Promise<void> {
    const known = this.#all.get(record.value.name);
    if (known !== undefined) {
      known.record = record;
      this.#tell(known);
      return;
    }
    const kept = this.#keep(record);
    await kept.door.open();
    this.#tell(kept);
  }

  removed(name: string): void {
    const kept = this.#all.get(name);
    if (kept === undefined) return;
    clearTimeout(kept.telling);
    this.#all.delete(name);
    kept.door.close();
    this.#parts.inventory.log.remove("expose", name);
  }

  /** Names of those whose instance is on a host. */
  onHost(host: string): string[] {
    return [...this.#all.values()]
      .filter(({ record }) => instanceOf(record).startsWith(`${host}/`))
      .map(({ record }) => record.value.name);
  }

  /** Opens all doors. */
  serving(): void {
    for (const { door } of this.#all.values()) void door.open();
  }

  /** A host is there again: what connections met there says nothing any more. */
  hostReady(host: string): void {
    for (const { record, door } of this.#all.values()) {
      if (instanceOf(record).startsWith(`hosts/${host}/`) && isOfHost(door.obstacle)) door.forgive();
    }
  }

  /** An instance has begun to run. */
  instanceRuns(name: string): void {
    for (const { record, door } of this.#all.values()) if (instanceOf(record) === name) door.forgive();
  }

  /** Whether connections to an instance meet something. */
  isObstructed(name: string): boolean {
    return [...this.#all.values()].some((each) => instanceOf(each.record) === name && each.door.obstacle !== undefined);
  }

  close(): void {
    for (const { door, telling } of this.#all.values()) {
      clearTimeout(telling);
      door.close();
    }
  }

  #keep(record: ExposeRecord): Kept {
    const kept: Kept = {
      record,
      telling: undefined,
      toldMs: 0,
      door: new Door({
        place: record.value.status?.listen ?? "",
        mayOpen: (host, port) => mayListen(this.#parts.exposeListen, host, port),
        limits: () => limitsOf(kept.record.value.spec ?? ExposeSpec.fromPartial({})),
        carry: (socket, visit) => carry(this.#parts, kept.record.value, socket, visit),
        room: this.#room,
        onChange: () => this.#tellSoon(kept),
      }),
    };
    this.#all.set(record.value.name, kept);
    return kept;
  }

  /** At most once a second, and never while somebody is told of something else. */
  #tellSoon(kept: Kept): void {
    if (this.#all.get(kept.record.value.name) !== kept) return;
    const dueMs = Math.max(0, kept.toldMs + tellMs - performance.now());
    kept.telling ??= setTimeout(() => this.#tell(kept), dueMs).unref();
  }

  #tell(kept: Kept): void {
    clearTimeout(kept.telling);
    kept.telling = undefined;
    kept.toldMs = performance.now();
    const { value } = kept.record;
    const { inventory } = this.#parts;
    const before = this.view(value.name)?.status;
    const status = this.#statusOf(kept);
    const told: Expose = { ...value, status };
    inventory.upsert({ kind: "expose", value: told });
    // Bytes pass without anything being told of them.
    if (status.connections > 0) this.#tellSoon(kept);
    if (before === undefined || before.state === status.state) return;
    // The first state of a run is what was found.
    const isBroken = status.state === ExposeState.EXPOSE_STATE_BROKEN;
    inventory.log.recordEvent("events", {
      severity: isBroken ? EventSeverity.EVENT_SEVERITY_WARNING : EventSeverity.EVENT_SEVERITY_INFO,
      type: isBroken ? "expose.broken" : "expose.healed",
      resource: value.name,
      message: isBroken ? `${value.name} is broken: ${status.reason}` : `${value.name} leads to its server again`,
      caller: "",
    });
  }

  #statusOf({ record, door }: Pick<Kept, "record" | "door">): ExposeStatus {
    const before = this.view(record.value.name)?.status;
    const reason = reasonOf(door);
    const state = reason === "" ? ExposeState.EXPOSE_STATE_LISTENING : ExposeState.EXPOSE_STATE_BROKEN;
    const { connections, total, refused, failed, bytesIn, bytesOut } = door.figures;
    return ExposeStatus.fromPartial({
      ...record.value.status,
      ...{ state, reason, connections },
      sinceTime: before?.state === state ? before.sinceTime : new Date(),
      totalConnections: BigInt(total),
      refusedConnections: BigInt(refused),
      failedConnections: BigInt(failed),
      bytesIn: BigInt(bytesIn),
      bytesOut: BigInt(bytesOut),
    });
  }
}

/** The status of one that is about to be made. */
function fresh({ value }: ExposeRecord): ExposeStatus {
  const state = ExposeState.EXPOSE_STATE_LISTENING;
  return ExposeStatus.fromPartial({ ...value.status, state, sinceTime: new Date() });
}

/** Whether an instance has begun to run. */
export function isStart(before: Instance | undefined, now: Instance): boolean {
  const running = InstanceState.INSTANCE_STATE_RUNNING;
  return now.status?.state === running && before?.status?.state !== running;
}

function reasonOf({ fault, place, obstacle }: Door): string {
  if (fault !== "") return `the hub does not listen at ${place}: ${fault}`;
  return obstacle === undefined ? "" : `the last connection failed: ${messageOf(obstacle)}`;
}

function isOfHost(obstacle: unknown): boolean {
  return obstacle instanceof ZorError && obstacle.resource?.split("/").length === 2;
}

function instanceOf({ value }: ExposeRecord): string {
  return value.spec?.instance ?? "";
}
