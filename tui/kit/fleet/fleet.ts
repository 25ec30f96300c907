import type { NamedMessage } from "../../../lib/kinds/codecs.js";
import { fieldNumbers } from "../../../lib/kinds/encoded.js";
import { findPackedKind } from "../../../lib/kinds/resource.js";
import type { Any } from "../../../proto/gen/google/protobuf/any.js";
import { hubOf } from "../hubs.js";
import type { Presence, TuiKind } from "../kind.js";
import { type KindTable, pluralOf } from "../kind-table.js";
import { idOf } from "../resource-name.js";
import type { Row } from "../row.js";
import { type Used, Usage } from "../usage/usage.js";
import { EventRate } from "./event-rate.js";
import type { FleetStep } from "./fleet-step.js";
import type { FleetView } from "./fleet-view.js";
import type { Follower } from "./follower.js";
import { type HubConnection, Hubs } from "./hubs.js";
import { type Pending, pendingTimeoutMs } from "./pending.js";
import { Table } from "./table.js";

const silentMs = 6_000;

export type { HubConnection };

/** Something this program has to say itself. */
export interface Complaint {
  readonly type: string;
  /** Name of the resource; empty when it is about none. */
  readonly about: string;
  readonly message: string;
  readonly failed: boolean;
}

/** Everything known of the fleet: fed with watch steps, read by tables. Knows neither a terminal nor a socket. */
export class Fleet implements FleetView {
  readonly kinds: KindTable;
  /** Identity of who looks, at each hub; "" of one hub alone. Of a hub that is not there nobody can tell what is one's own. */
  own: ReadonlyMap<string, string> = new Map();
  readonly usage = new Usage();
  readonly #tables = new Map<string, Table>();
  /** By type URL. */
  readonly #kindsByType = new Map<string, TuiKind>();
  /** Ids of hosts of which nothing current is known. */
  readonly #unreachable = new Set<string>();
  readonly #pending = new Map<string, Pending>();
  readonly #followers = new Map<string, Follower>();
  /** Collection of the kind that others live on; asked for with every cell. */
  readonly #hostCollection: string;
  readonly #rate = new EventRate();
  #connection: HubConnection;
  readonly #hubs = new Hubs();
  #loaded = false;
  #inSnapshot = false;
  #lastHeardMs: number | undefined;
  #clockOffsetMs = 0;
  #localEvents = 0;

  constructor(kinds: KindTable, nowMs: number) {
    this.kinds = kinds;
    this.#connection = { phase: "connecting", sinceMs: nowMs, reason: "", retryAtMs: undefined };
    this.#hostCollection = kinds.presence === undefined ? "" : pluralOf(kinds.presence);
    for (const kind of kinds.all) {
      const stateAt = kind.stateAt === undefined ? [] : fieldNumbers(kind.kind, kind.stateAt);
      const limit = kind.log?.limit ?? Number.POSITIVE_INFINITY;
      this.#tables.set(kind.kind, new Table({ kind: kind.kind, stateAt, limit }));
      const follower = kind.follow?.();
      if (follower !== undefined) this.#followers.set(kind.kind, follower);
    }
  }

  /** All rows of a kind. @throws {Error} for kinds this program does not know. */
  table(kind: string): Table {
    const table = this.#tables.get(kind);
    if (table === undefined) throw new Error(`there is no table of the kind "${kind}"`);
    return table;
  }

  get pending(): ReadonlyMap<string, Pending> {
    return this.#pending;
  }

  get connection(): HubConnection {
    return this.#connection;
  }

  /** Of several hubs in one view, how each is doing; none of one alone. */
  get hubs(): ReadonlyMap<string, HubConnection> {
    return this.#hubs.all;
  }

  /** One of several hubs is doing otherwise: what is of it looks different. The connection is as good as that of the best of them. */
  setHub(hub: string, connection: HubConnection, nowMs: number): void {
    const wasAway = this.#hubs.isAway(hub);
    this.#hubs.set(hub, connection);
    this.setConnection(this.#hubs.best() ?? connection, nowMs);
    if (this.#hubs.isAway(hub) === wasAway) return;
    for (const { kind } of this.#snapshotKinds()) {
      const table = this.table(kind);
      for (const host of [...table.hosts]) if (host === "" || hubOf(host) === hub) table.touch(host);
    }
  }

  isAway(name: string): boolean {
    return this.#hubs.all.size > 0 && this.#hubs.isAway(hubOf(name));
  }

  /** A complete snapshot has been received at least once. */
  get loaded(): boolean {
    return this.#loaded;
  }

  /** Local time of the last sign of life. */
  get lastHeardMs(): number | undefined {
    return this.#lastHeardMs;
  }

  find(kind: string, name: string): Row | undefined {
    return this.#tables.get(kind)?.find(name);
  }

  findByName(name: string): Row | undefined {
    const kind = this.kindOfName(name);
    return kind === undefined ? undefined : this.find(kind, name);
  }

  versionOf(kind: string): number {
    return this.#tables.get(kind)?.version ?? 0;
  }

  rowsOf(kind: string): Iterable<Row> {
    return this.#tables.get(kind)?.rows() ?? [];
  }

  contentsOf(host: string): readonly { readonly kind: string; readonly count: number }[] {
    return this.kinds.all
      .filter((kind) => kind.counted !== undefined && kind.presence === undefined)
      .map(({ kind }) => ({ kind, count: this.table(kind).countOn(host) }))
      .filter(({ count }) => count > 0);
  }

  kindOfName(name: string): string | undefined {
    return this.kinds.findByName(name)?.kind;
  }

  pendingOf(name: string): Pending | undefined {
    return this.#pending.get(name);
  }

  followerOf(kind: string): Follower | undefined {
    return this.#followers.get(kind);
  }

  /** The hub's clock, as its bookmarks tell it. */
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

  /** Events in each second of the last minutes, the oldest first. */
  eventCourse(nowMs: number): readonly number[] {
    return this.#rate.course(nowMs);
  }

  setConnection(connection: HubConnection, nowMs: number): void {
    this.#connection = connection;
    for (const follower of this.#followers.values()) follower.hold(connection.phase === "live", nowMs);
    if (connection.phase !== "live") this.#inSnapshot = false;
  }

  isReachable(host: string): boolean {
    // A host that is not listed is this very agent's own, when the client talks to an agent.
    return !this.#unreachable.has(host) && !this.isAway(host);
  }

  /** Ids of the hosts of which nothing current is known. */
  get unreachable(): ReadonlySet<string> {
    const { presence } = this.kinds;
    if (this.#hubs.all.size === 0 || presence === undefined) return this.#unreachable;
    const away = [...this.rowsOf(presence.kind)].filter(({ name }) => this.isAway(name)).map(({ id }) => id);
    return new Set([...this.#unreachable, ...away]);
  }

  lastSeenTime(host: string): Date | undefined {
    const { presence } = this.kinds;
    const row = presence === undefined ? undefined : this.#hostRow(presence, host);
    return row === undefined ? undefined : presence?.presence.lastSeenTime(row.resource);
  }

  apply(step: FleetStep, nowMs: number): void {
    this.#lastHeardMs = nowMs;
    switch (step.$case) {
      case "reset":
        this.#inSnapshot = true;
        for (const kind of this.#snapshotKinds()) this.table(kind.kind).beginSnapshot();
        return;
      case "upsert":
        if (!this.#inSnapshot) this.#rate.add(nowMs);
        this.#upsert(step.value, nowMs);
        return;
      case "removed":
        this.#rate.add(nowMs);
        this.#remove(step.value.kind, step.value.name);
        return;
      case "bookmark":
        if (step.value.time !== undefined) this.#clockOffsetMs = step.value.time.getTime() - nowMs;
        return;
      case "snapshotEnd":
        this.#endSnapshot();
        return;
    }
  }

  /** Forgets everything: what is heard from now on is of another fleet. */
  clear(nowMs: number): void {
    for (const { kind } of this.kinds.all) {
      const table = this.table(kind);
      for (const name of [...table.rows()].map((row) => row.name)) this.#remove(kind, name);
    }
    this.#pending.clear();
    this.usage.show(new Map());
    this.usage.rank(new Map());
    this.#hubs.forget();
    [this.#loaded, this.#inSnapshot, this.#lastHeardMs, this.#clockOffsetMs] = [false, false, undefined, 0];
    this.setConnection({ phase: "connecting", sinceMs: nowMs, reason: "", retryAtMs: undefined }, nowMs);
  }

  /** Marks a row as waiting for what was just asked of it. */
  markPending(row: Row, verb: string, nowMs: number, patienceMs?: number): void {
    this.#pending.set(row.name, { verb, sinceMs: nowMs, before: row, patienceMs });
  }

  /** What a row waits for has not been begun yet, or has been now, if it still waits. */
  queuePending(name: string, isQueued: boolean, nowMs: number): void {
    const pending = this.#pending.get(name);
    if (pending !== undefined) this.#pending.set(name, { ...pending, sinceMs: nowMs, isQueued });
  }

  clearPending(name: string): void {
    this.#pending.delete(name);
  }

  /**
   * Gives up waiting where no event came in time; returns what was given up. Nothing is while the hub is silent: the event
   * may be on its way.
   */
  expirePending(nowMs: number): readonly { readonly name: string; readonly pending: Pending }[] {
    if (this.#connection.phase !== "live" || this.isSilent(nowMs)) return [];
    const expired = [...this.#pending]
      .filter(
        ([, { isQueued, sinceMs, patienceMs = pendingTimeoutMs }]) =>
          isQueued !== true && nowMs - sinceMs >= patienceMs,
      )
      .map(([name, pending]) => ({ name, pending }));
    for (const { name } of expired) this.#pending.delete(name);
    return expired;
  }

  /** Keeps something this program has to say among what happened. */
  complain(complaint: Complaint, nowMs: number): void {
    const { log } = this.kinds;
    if (log === undefined) return;
    this.#localEvents += 1;
    const name = `${pluralOf(log)}/local-${this.#localEvents}`;
    const entry = log.log.write({ ...complaint, name, time: new Date(this.hubTimeMs(nowMs)) });
    this.#putEntry(log, { ...entry, name }, nowMs);
  }

  /** Adds entries of the log from before those that are known; nothing waits for them. Returns how many are new. */
  addHistory(entries: readonly NamedMessage[], nowMs: number): number {
    const { log } = this.kinds;
    if (log === undefined) return 0;
    const table = this.table(log.kind);
    const unknown = entries.filter(({ name }) => table.find(name) === undefined);
    // Whoever is full keeps what is newer.
    const added = unknown.slice(0, Math.max(0, log.log.limit - table.size));
    for (const entry of added) this.#putEntry(log, entry, nowMs);
    return added.length;
  }

  /** The rows of a kind that come first by what is measured: those that it is told of no more come last. */
  rank(kind: string, ranked: ReadonlyMap<string, Used>): void {
    const table = this.table(kind);
    for (const name of this.usage.rank(ranked)) table.touchRow(name);
  }

  /** What happened is told once, whatever else is in a snapshot. */
  #snapshotKinds(): readonly TuiKind[] {
    return this.kinds.all.filter((kind) => kind.log === undefined);
  }

  #hostRow(presence: TuiKind, host: string): Row | undefined {
    return this.find(presence.kind, `${this.#hostCollection}/${host}`);
  }

  #endSnapshot(): void {
    this.#inSnapshot = false;
    this.#loaded = true;
    for (const { kind } of this.#snapshotKinds()) {
      for (const name of this.table(kind).endSnapshot()) this.#forget(kind, name);
    }
  }

  #forget(kind: string, name: string): void {
    this.#pending.delete(name);
    this.#followers.get(kind)?.forget(name);
    if (kind === this.kinds.presence?.kind) this.#unreachable.delete(idOf(name));
  }

  #remove(kind: string, name: string): void {
    if (this.kinds.find(kind) === undefined) return;
    this.table(kind).remove(name);
    this.#forget(kind, name);
  }

  #upsert(packed: Any, nowMs: number): void {
    const kind = this.#kindOf(packed);
    if (kind === undefined) return;
    const table = this.table(kind.kind);
    const slot = table.put(packed.value, nowMs);
    if (kind.presence !== undefined) this.#lookAtHost(kind.presence, table.at(slot));
    const follower = this.#followers.get(kind.kind);
    // Whoever waits for nothing needs nothing of what came but its bytes.
    if (follower === undefined && this.#pending.size === 0) return;
    const row = table.at(slot);
    if (row === undefined) return;
    follower?.note(row, nowMs);
    this.#settle(kind, row);
  }

  #kindOf({ typeUrl }: Any): TuiKind | undefined {
    const known = this.#kindsByType.get(typeUrl);
    if (known !== undefined) return known;
    const singular = findPackedKind({ typeUrl });
    const kind = singular === undefined ? undefined : this.kinds.find(singular);
    if (kind !== undefined) this.#kindsByType.set(typeUrl, kind);
    return kind;
  }

  /** Ends waiting for what came, or for what it tells of. */
  #settle(kind: TuiKind, row: Row): void {
    if (this.#pending.size === 0) return;
    if (kind.log !== undefined) this.#settleByEvent(kind.log.read(row.resource));
    const pending = this.#pending.get(row.name);
    if (pending !== undefined && this.#isSettled(kind, pending, row)) this.#pending.delete(row.name);
  }

  #isSettled({ actions }: TuiKind, { verb, before }: Pending, now: Row): boolean {
    return actions.find((action) => action.verb === verb)?.isDone?.(before, now) === true;
  }

  /** What is on a host looks different when the host comes or goes. */
  #lookAtHost(presence: Presence, row: Row | undefined): void {
    if (row === undefined) return;
    const isReachable = presence.isReachable(row.resource);
    if (this.#unreachable.has(row.id) !== isReachable) return;
    if (isReachable) this.#unreachable.delete(row.id);
    else this.#unreachable.add(row.id);
    for (const { kind, presence: own } of this.#snapshotKinds()) if (own === undefined) this.table(kind).touch(row.id);
  }

  #putEntry(log: TuiKind, entry: NamedMessage, nowMs: number): void {
    this.table(log.kind).putValue(entry, nowMs);
  }

  #settleByEvent({
    about,
    type,
    failed,
  }: {
    readonly about: string;
    readonly type: string;
    readonly failed: boolean;
  }): void {
    const pending = this.#pending.get(about);
    if (pending === undefined) return;
    const actions = this.kinds.find(pending.before.kind)?.actions ?? [];
    const isDone = actions.find((action) => action.verb === pending.verb)?.isDoneBy?.(type) === true;
    if (failed || isDone) this.#pending.delete(about);
  }
}
