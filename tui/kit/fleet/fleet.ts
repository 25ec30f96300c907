import { HostState } from "../../../proto/gen/zor/v1/host.js";
import type { Any } from "../../../proto/gen/google/protobuf/any.js";
import { type Event, EventSeverity } from "../../../proto/gen/zor/v1/event.js";
import { type KnownResource, unpack } from "../../../lib/kinds/resource.js";
import { idOf } from "../resource-name.js";
import type { FleetStep } from "../../client/watch.js";
import { EventRate } from "./event-rate.js";
import { LinkHistory } from "../../kinds/link/history.js";
import { isSettled, type Pending, pendingTimeoutMs, type Verb } from "./pending.js";
import { hostOf, type Kind, kindOf, kinds, type Row, type WatchedRow } from "../row.js";
import { Table } from "./table.js";

/** Newest events kept. */
const eventLimit = 5000;

const silentMs = 6_000;

/** State of the connection to the hub. */
export interface HubConnection {
  /** "refused" is final: asking again cannot help. */
  readonly phase: "connecting" | "live" | "lost" | "refused";
  readonly sinceMs: number;
  /** Why it was lost or refused, for people. */
  readonly reason: string;
  /** When the next attempt is made; undefined when one is under way. */
  readonly retryAtMs: number | undefined;
}

/** Everything known of the fleet: fed with watch steps, read by tables. Knows neither a terminal nor a socket. */
export class Fleet {
  readonly tables: Readonly<Record<Kind, Table>> = {
    hosts: new Table(stateOf),
    instances: new Table(stateOf),
    lans: new Table(stateOf),
    links: new Table(stateOf),
    operations: new Table(stateOf),
    events: new Table(stateOf, eventLimit),
    a2bs: new Table(stateOf),
  };
  readonly pending = new Map<string, Pending>();
  readonly linkHistory = new LinkHistory();
  readonly #rate = new EventRate();
  #connection: HubConnection;
  #loaded = false;
  #inSnapshot = false;
  #lastHeardMs: number | undefined;
  #clockOffsetMs = 0;
  #localEvents = 0;

  constructor(nowMs: number) {
    this.#connection = { phase: "connecting", sinceMs: nowMs, reason: "", retryAtMs: undefined };
  }

  get connection(): HubConnection {
    return this.#connection;
  }

  /** A complete snapshot has been received at least once. */
  get loaded(): boolean {
    return this.#loaded;
  }

  /** Local time of the last sign of life. */
  get lastHeardMs(): number | undefined {
    return this.#lastHeardMs;
  }

  /** The hub's clock, as its bookmarks tell it: ages of its timestamps are measured with this. */
  hubTimeMs(nowMs: number): number {
    return nowMs + this.#clockOffsetMs;
  }

  /** Whether the hub has not even sent a bookmark for so long that it deserves a look. */
  isSilent(nowMs: number): boolean {
    return this.#lastHeardMs !== undefined && nowMs - this.#lastHeardMs > silentMs;
  }

  eventsPerSecond(nowMs: number): number {
    return this.#rate.perSecond(nowMs);
  }

  setConnection(connection: HubConnection, nowMs: number): void {
    this.#connection = connection;
    this.linkHistory.hold(connection.phase === "live", nowMs);
    if (connection.phase !== "live") this.#inSnapshot = false;
  }

  /** Whether what is known of a host is current; the hub itself ("") always is. */
  isReachable(host: string): boolean {
    if (host === "") return true;
    const row = this.tables.hosts.find(`hosts/${host}`);
    // A host that is not listed is this very agent's own, when the client talks to an agent.
    if (row?.kind !== "hosts") return true;
    return row.resource.state === HostState.HOST_STATE_READY || row.resource.state === HostState.HOST_STATE_UNSPECIFIED;
  }

  apply(step: FleetStep, nowMs: number): void {
    this.#lastHeardMs = nowMs;
    switch (step.$case) {
      case "reset":
        this.#inSnapshot = true;
        for (const kind of kinds) if (kind !== "events") this.tables[kind].beginSnapshot();
        return;
      case "upsert":
        if (!this.#inSnapshot) this.#rate.add(nowMs);
        this.#upsert(step.value, nowMs);
        return;
      case "removed": {
        this.#rate.add(nowMs);
        const kind = kindOf(step.value.kind);
        if (kind !== undefined) this.#remove(kind, step.value.name);
        return;
      }
      case "bookmark":
        if (step.value.time !== undefined) this.#clockOffsetMs = step.value.time.getTime() - nowMs;
        return;
      case "snapshotEnd":
        this.#endSnapshot();
        return;
    }
  }

  /** Marks a row as waiting for what was just asked of it. */
  markPending(row: Row, verb: Verb, nowMs: number): void {
    this.pending.set(row.name, { verb, sinceMs: nowMs, before: row });
  }

  clearPending(name: string): void {
    this.pending.delete(name);
  }

  /**
   * Gives up waiting where no event came in time; returns what was given up. Nothing is while the hub is silent: the event
   * may be on its way.
   */
  expirePending(nowMs: number): readonly { readonly name: string; readonly pending: Pending }[] {
    if (this.#connection.phase !== "live" || this.isSilent(nowMs)) return [];
    const expired = [...this.pending]
      .filter(([, pending]) => nowMs - pending.sinceMs >= pendingTimeoutMs)
      .map(([name, pending]) => ({ name, pending }));
    for (const { name } of expired) this.pending.delete(name);
    return expired;
  }

  /** Keeps something this program has to say among the events. */
  addLocalEvent(event: Pick<Event, "severity" | "type" | "resource" | "message">, nowMs: number): void {
    this.#localEvents += 1;
    const name = `events/local-${this.#localEvents}`;
    this.#putEvent({ name, time: new Date(this.hubTimeMs(nowMs)), caller: "", ...event }, nowMs);
  }

  #endSnapshot(): void {
    this.#inSnapshot = false;
    this.#loaded = true;
    for (const kind of kinds) {
      if (kind === "events") continue;
      for (const name of this.tables[kind].endSnapshot()) this.#forget(name);
    }
  }

  #forget(name: string): void {
    this.pending.delete(name);
    this.linkHistory.forget(name);
  }

  #remove(kind: Kind, name: string): void {
    this.tables[kind].remove(name);
    this.#forget(name);
  }

  #upsert(resource: Any, nowMs: number): void {
    const row = toRow(resource, nowMs);
    if (row === undefined) return;
    if (row.kind === "events") {
      this.#settleByEvent(row.resource);
      this.tables.events.put(row);
      return;
    }
    if (row.kind === "hosts") this.#putHost(row);
    else this.tables[row.kind].put(row);
    if (row.kind === "links") this.linkHistory.note(row.name, row.resource.status, nowMs);
    const pending = this.pending.get(row.name);
    if (pending !== undefined && isSettled(pending, row)) this.pending.delete(row.name);
  }

  /** What is on a host looks different when the host comes or goes. */
  #putHost(row: Row & { readonly kind: "hosts" }): void {
    const before = this.isReachable(row.id);
    this.tables.hosts.put(row);
    if (this.isReachable(row.id) === before) return;
    for (const kind of ["instances", "lans", "a2bs"] as const)
      this.tables[kind].touch(this.tables[kind].namesOn(row.id));
  }

  #settleByEvent(event: Event): void {
    const pending = this.pending.get(event.resource);
    if (pending === undefined) return;
    const failed = event.severity === EventSeverity.EVENT_SEVERITY_ERROR;
    const wasReset = pending.verb === "reset" && event.type.endsWith("reset");
    if (failed || wasReset) this.pending.delete(event.resource);
  }

  #putEvent(event: Event, nowMs: number): void {
    this.tables.events.put({
      kind: "events",
      name: event.name,
      id: idOf(event.name),
      host: hostOf(event.name),
      resource: event,
      receivedAtMs: nowMs,
    });
  }
}

function toRow(packed: Any, receivedAtMs: number): WatchedRow | undefined {
  const of = unpack(packed) as KnownResource | undefined;
  if (of === undefined) return undefined;
  const { name } = of.value;
  const base = { name, id: idOf(name), host: hostOf(name), receivedAtMs };
  switch (of.kind) {
    case "host":
      return { ...base, kind: "hosts", resource: of.value };
    case "instance":
      return { ...base, kind: "instances", resource: of.value };
    case "lan":
      return { ...base, kind: "lans", resource: of.value };
    case "link":
      return { ...base, kind: "links", resource: of.value };
    case "operation":
      return { ...base, kind: "operations", resource: of.value };
    case "event":
      return { ...base, kind: "events", resource: of.value };
    case "a2b":
      return { ...base, kind: "a2bs", resource: of.value };
  }
}

function stateOf(row: Row): number {
  switch (row.kind) {
    case "hosts":
    case "operations":
      return row.resource.state;
    case "instances":
    case "links":
    case "a2bs":
      return row.resource.status?.state ?? 0;
    case "events":
      return row.resource.severity;
    case "lans":
    case "ports":
      return 0;
  }
}
