import { join } from "node:path";
import { alreadyExists, failedPrecondition, invalidFields, notFound } from "../../lib/errors.js";
import { nothingToTell } from "../../lib/events/call-trail.js";
import { KeyedQueue } from "../../lib/keyed-queue.js";
import { changedFields, newEtag } from "../../lib/kinds/change.js";
import { codecOf } from "../../lib/kinds/codecs.js";
import { kindNamed } from "../../lib/kinds/kinds.js";
import { agreeing, listed } from "../../lib/words.js";
import { EventSeverity } from "../../proto/gen/zor/v1/event.js";
import { toldOf } from "../host/told.js";
import type { KindContext } from "./context.js";
import { asFailure } from "./failure.js";
import type { AgentKind, Carrying, Change, Found, HostResource, Kept, Reference, Whole } from "./kind.js";
import { type AskedUpdate, checkMetadata, isSameSpec, newStored, updated } from "./metadata.js";
import type { ResourceSource, Use } from "./references.js";
import { SpecDirectory } from "./spec-directory.js";
import { formatStored, parseStored, type StoredSpec } from "./stored-spec.js";

/** A resource in the agent's memory. */
interface Entry<R extends HostResource> {
  stored: StoredSpec<R>;
  state: "creating" | "ready" | "deleting";
  /** Why it could not be made; "": it could. */
  failure: string;
}

/** The resources of one kind on this host: their specifications on disk, carried out by the kind. */
export class Keeper<R extends HostResource> implements ResourceSource, Kept<R> {
  readonly #kind: AgentKind<R>;
  readonly #context: KindContext;
  readonly #plural: string;
  readonly #store: SpecDirectory<StoredSpec<R>>;
  readonly #entries = new Map<string, Entry<R>>();
  readonly #queue = new KeyedQueue();

  constructor(kind: AgentKind<R>, context: KindContext) {
    this.#kind = kind;
    this.#context = context;
    this.#plural = kindNamed(kind.kind).plural;
    const { state, write } = context;
    this.#store = new SpecDirectory({
      directory: join(state, this.#plural),
      format: (stored) => formatStored(kind.kind, stored),
      parse: (id, text) => parseStored<R>(kind.kind, id, text),
      ...(write === undefined ? {} : { write }),
    });
  }

  /** Reads all specifications and has them carried out. Call once, before anything else. */
  async restore(): Promise<void> {
    const { kind } = this.#kind;
    for (const { id, value, damage } of await this.#store.load(this.#context.now())) {
      for (const text of damage) this.#report("file-damaged", id, text);
      if (value === undefined) continue;
      const entry: Entry<R> = { stored: value, state: "ready", failure: "" };
      this.#entries.set(id, entry);
      await this.#carryOut(entry, "restore").catch((error: unknown) => {
        this.#context.logError(error, `${kind} ${id} could not be made again`);
        this.#report("failed", id, entry.failure);
      });
    }
    for (const { id, spec } of this.#kind.builtIn ?? []) await this.#makeBuiltIn(id, spec);
    await this.#kind.begin?.(this);
    this.publish();
  }

  has(id: string): boolean {
    return this.#entries.get(id)?.state === "ready";
  }

  find(id: string): R | undefined {
    const entry = this.#shown(id);
    return entry === undefined ? undefined : this.#show(entry);
  }

  /** All resources as they are now. */
  list(): readonly R[] {
    return [...this.#entries.values()].filter(({ state }) => state !== "creating").map((entry) => this.#show(entry));
  }

  uses(): readonly Use[] {
    return [...this.#entries.values()].flatMap(({ stored }) =>
      this.#usesOf(stored.resource).map((use) => ({ ...use, from: use.from ?? stored.resource.name })),
    );
  }

  all(): readonly { readonly resource: Whole<R>; readonly carrying: Carrying }[] {
    return [...this.#entries.values()]
      .filter(({ state }) => state !== "creating")
      .map(({ stored }) => ({ resource: stored.resource, carrying: { generation: stored.generation } }));
  }

  /** @throws {ZorError} NOT_FOUND */
  get(id: string): R {
    return this.#show(this.#get(id));
  }

  /** Makes a resource. @throws {ZorError} and then nothing has changed. */
  async create(id: string, wanted: R, change: Change): Promise<R> {
    const name = this.#name(id);
    const spec = this.#checked(wanted, undefined, name);
    const made = await this.#inTurn(id, "create", async () => {
      if (this.#entries.has(id)) throw alreadyExists(name);
      const { labels, annotations } = wanted;
      const { caller } = change;
      const now = this.#context.now();
      const stored = newStored<R>({ id, name, spec, labels, annotations, caller, now, phase: "ready" });
      await this.#kind.verify?.(stored.resource, undefined);
      await this.#kind.examine?.(stored.resource);
      this.#admit(stored.resource, this.#usesOf(stored.resource));
      if (change.validateOnly) return stored;
      const entry: Entry<R> = { stored, state: "creating", failure: "" };
      await using undo = new AsyncDisposableStack();
      // Known before it is written, so that nothing it refers to is deleted meanwhile.
      this.#entries.set(id, entry);
      undo.defer(() => void this.#entries.delete(id));
      undo.defer(() => this.#store.remove(id));
      await this.#store.create(id, name);
      await this.#store.write(id, name, stored);
      undo.defer(() => this.#kind.remove(stored.resource));
      await this.#carryOut(entry, "ensure");
      undo.move();
      entry.state = "ready";
      this.#announce("created", name, change.caller);
      this.#publish(entry);
      return stored;
    });
    return change.validateOnly ? made.resource : this.#settled(made);
  }

  /** Changes a resource. @throws {ZorError} and then nothing has changed. */
  async update(id: string, asked: AskedUpdate<R>, change: Change): Promise<R> {
    this.#get(id);
    const { kind, changeable } = this.#kind;
    const changed = await this.#inTurn(id, "change", async () => {
      const entry = this.#get(id);
      const { stored } = entry;
      const before = stored.resource;
      const after = updated(stored, asked, { kind, changeable, now: this.#context.now() });
      if (after === before) {
        nothingToTell();
        return stored;
      }
      const spec = this.#checked(after, before, before.name);
      const resource = { ...after, spec };
      await this.#kind.verify?.(resource, before.spec);
      this.#admit(resource, this.#newUses(resource, before));
      const isSame = isSameSpec(kind, resource, before);
      const next = {
        ...stored,
        resource,
        changedBy: change.caller,
        generation: isSame ? stored.generation : newEtag(),
      };
      if (change.validateOnly) return next;
      await this.#replace(entry, next, isSame);
      this.#announce("changed", before.name, change.caller, changedFields(codecOf(kind), before, resource));
      this.#publish(entry);
      return next;
    });
    return change.validateOnly ? changed.resource : this.#settled(changed);
  }

  /** Deletes a resource. @throws {ZorError} FAILED_PRECONDITION while anything uses it; then, as on other errors, nothing has changed. */
  async delete(id: string, change: Change): Promise<void> {
    this.#get(id);
    await this.#inTurn(id, "delete", async () => {
      const entry = this.#get(id);
      const { resource } = entry.stored;
      // From here on nothing new can refer to it; checked afterwards, so that nothing slips in between.
      entry.state = "deleting";
      try {
        this.#assertUnused(id, resource);
        if (change.validateOnly) return;
        await this.#kind.remove(resource);
        await this.#store.remove(id);
        this.#entries.delete(id);
      } finally {
        entry.state = "ready";
      }
      this.#context.publisher.removed(this.#kind.kind, resource.name);
      this.#announce("deleted", resource.name, change.caller);
    });
  }

  publish(uids?: ReadonlySet<string>): void {
    for (const entry of this.#entries.values()) {
      const isMeant = uids === undefined || uids.has(entry.stored.resource.uid);
      if (isMeant && entry.state !== "creating") this.#publish(entry);
    }
  }

  async take({ id, uid, spec, createTime, generation = newEtag(), where }: Found<R>): Promise<void> {
    if (this.#entries.has(id)) return;
    const name = this.#name(id);
    const common = { labels: {}, annotations: {}, caller: "", now: this.#context.now(), phase: "ready" } as const;
    const fresh = newStored<R>({ id, name, uid, spec, ...common });
    const stored = { ...fresh, resource: { ...fresh.resource, createTime }, generation };
    this.#entries.set(id, { stored, state: "ready", failure: "" });
    this.#report("adopted", id, `its file was lost; ${where}`);
    try {
      await this.#store.create(id, name);
      await this.#store.write(id, name, stored);
    } catch (error) {
      this.#context.logError(error, `the file of ${name} could not be written again`);
    }
  }

  async exclusively(work: () => Promise<void>): Promise<void> {
    if (this.#kind.oneAtATime !== true) throw new Error(`resources of kind ${this.#kind.kind} change side by side`);
    await this.#queue.run(this.#turn(""), work);
  }

  /** Makes one that is always there, unless it is. What fails shows in its status. */
  async #makeBuiltIn(id: string, spec: NonNullable<R["spec"]>): Promise<void> {
    if (this.#entries.has(id)) return;
    const name = this.#name(id);
    const now = this.#context.now();
    const stored = newStored<R>({ id, name, spec, labels: {}, annotations: {}, caller: "", now, phase: "ready" });
    const entry: Entry<R> = { stored, state: "ready", failure: "" };
    this.#entries.set(id, entry);
    try {
      await this.#store.create(id, name);
      await this.#store.write(id, name, stored);
      await this.#carryOut(entry, "ensure");
    } catch (error) {
      this.#context.logError(error, `${name} could not be made`);
    }
  }

  /** Checks a specification with labels and annotations and fills in its defaults. @throws {ZorError} INVALID_ARGUMENT */
  #checked(wanted: R, before: Whole<R> | undefined, name: string): NonNullable<R["spec"]> {
    const { spec, violations } = this.#kind.check(wanted.spec, before?.spec);
    const all = [...checkMetadata(this.#kind.kind, wanted), ...violations];
    if (all.length > 0) throw invalidFields(all, name);
    return spec;
  }

  #admit(resource: Whole<R>, uses: readonly Reference[]): void {
    this.#context.references.assertThere(uses);
    const others = [...this.#entries.values()].map(({ stored }) => stored.resource);
    this.#kind.admit?.(
      resource,
      others.filter(({ name }) => name !== resource.name),
    );
  }

  #usesOf(resource: Whole<R>): readonly Reference[] {
    return this.#kind.uses?.(resource) ?? [];
  }

  /** What a change makes it refer to: what was lost of the others does not stand in its way. */
  #newUses(resource: Whole<R>, before: Whole<R>): readonly Reference[] {
    const old = this.#usesOf(before);
    return this.#usesOf(resource).filter((use) => !old.some(({ kind, id }) => use.kind === kind && use.id === id));
  }

  async #carryOut(entry: Entry<R>, how: "ensure" | "restore"): Promise<void> {
    const { resource, generation } = entry.stored;
    const work = how === "restore" ? (this.#kind.restore ?? this.#kind.ensure) : this.#kind.ensure;
    try {
      await work.call(this.#kind, resource, { generation });
      entry.failure = "";
    } catch (error) {
      const failure = asFailure(error, resource.name, "make");
      entry.failure = toldOf(failure);
      throw failure;
    }
  }

  async #replace(entry: Entry<R>, next: StoredSpec<R>, isSameSpecification: boolean): Promise<void> {
    const { stored: before } = entry;
    const { id, resource } = before;
    await using undo = new AsyncDisposableStack();
    undo.defer(() => this.#store.write(id, resource.name, before));
    await this.#store.write(id, resource.name, next);
    entry.stored = next;
    undo.defer(async () => {
      entry.stored = before;
      if (!isSameSpecification) await this.#carryOut(entry, "ensure");
    });
    if (!isSameSpecification) await this.#carryOut(entry, "ensure");
    undo.move();
  }

  async #settled(stored: StoredSpec<R>): Promise<R> {
    const { id, resource, generation } = stored;
    await this.#kind.settle?.(resource, { generation });
    const entry = this.#get(id);
    this.#publish(entry);
    return this.#show(entry);
  }

  #assertUnused(id: string, resource: Whole<R>): void {
    const { kind, builtIn = [] } = this.#kind;
    if (builtIn.some((each) => each.id === id)) {
      const { name } = resource;
      throw failedPrecondition(`${kind.toUpperCase()}_BUILT_IN`, name, `${name} is always there and cannot be deleted`);
    }
    const seen = this.#kind.users?.(resource) ?? [];
    const users = [...new Set([...seen, ...this.#context.references.usersOf(kind, id)])];
    if (users.length === 0) return;
    const { name } = resource;
    const them = agreeing(users.length, "it", "them");
    throw failedPrecondition(
      `${kind.toUpperCase()}_IN_USE`,
      name,
      `${name} is in use by ${listed(users, 3)}; detach or delete ${them} first`,
    );
  }

  #show({ stored, failure }: Entry<R>): R {
    const { resource } = stored;
    return { ...resource, status: this.#kind.observe(resource, failure) };
  }

  #publish(entry: Entry<R>): void {
    this.#context.publisher.publish(this.#kind.kind, this.#show(entry));
  }

  #shown(id: string): Entry<R> | undefined {
    const entry = this.#entries.get(id);
    return entry?.state === "creating" ? undefined : entry;
  }

  #get(id: string): Entry<R> {
    const entry = this.#shown(id);
    if (entry !== undefined) return entry;
    throw notFound(this.#name(id), `list them with: zor get ${this.#plural}`);
  }

  /** Runs work when its turn comes; what fails is told as {@link asFailure} has it. */
  #inTurn<T>(id: string, action: string, work: () => Promise<T>): Promise<T> {
    return this.#queue.run(this.#turn(id), async () => {
      try {
        return await work();
      } catch (error) {
        throw asFailure(error, this.#name(id), action);
      }
    });
  }

  /** What waits for what. */
  #turn(id: string): string {
    return this.#kind.oneAtATime === true ? "" : id;
  }

  #name(id: string): string {
    return this.#context.references.nameOf(this.#kind.kind, id);
  }

  #announce(what: string, resource: string, caller: string, message = ""): void {
    const type = `${this.#kind.kind}.${what}`;
    this.#context.publisher.event({
      severity: EventSeverity.EVENT_SEVERITY_INFO,
      type,
      resource,
      message,
      caller,
    });
  }

  #report(what: string, id: string, message: string): void {
    const type = `${this.#kind.kind}.${what}`;
    const severity = EventSeverity.EVENT_SEVERITY_WARNING;
    this.#context.publisher.event({ severity, type, resource: this.#name(id), message, caller: "" });
  }
}
