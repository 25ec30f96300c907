import { join } from "node:path";
import { notFound } from "../../lib/errors.js";
import { nothingToTell } from "../../lib/events/call-trail.js";
import { changedFields } from "../../lib/kinds/change.js";
import { codecOf } from "../../lib/kinds/codecs.js";
import { kindNamed } from "../../lib/kinds/kinds.js";
import { EventSeverity } from "../../proto/gen/zor/v1/event.js";
import type { KindContext } from "./context.js";
import type { Change, HostResource, Whole } from "./kind.js";
import { type AskedUpdate, changedSpec, newStored, updated } from "./metadata.js";
import type { ResourceSource, Use } from "./references.js";
import { SpecDirectory } from "./spec-directory.js";
import { formatStored, parseJson, parseStored, type StoredSpec } from "./stored-spec.js";

/** What is kept of a resource that took an operation to make: its specification, and facts found out while it was made. */
export interface Made<R extends HostResource, F> {
  readonly id: string;
  readonly resource: Whole<R>;
  /** Undefined while it is being made. */
  readonly facts: F | undefined;
  /** It is being deleted. */
  readonly isDoomed: boolean;
}

/** What is peculiar to a kind. */
export interface MadeKind<R extends HostResource, F> {
  /** Its singular. */
  readonly kind: string;
  /** Fields that an update may change; undefined: labels, annotations and spec. */
  readonly changeable: readonly string[] | undefined;
  /** Undefined for what are no facts. */
  readonly parseFacts: (json: unknown) => F | undefined;
  /** Those whose status may follow from one another, and from none outside: a change of one is told of all of them. Default: each alone. */
  readonly groupOf?: (spec: NonNullable<R["spec"]>) => string;
  /** @param group all of its group, itself too. */
  readonly toStatus: (made: Made<R, F>, group: readonly Made<R, F>[]) => R["status"];
  readonly uses?: (made: Made<R, F>) => readonly Use[];
  /** Checks a specification that an update leaves. @throws {ZorError} */
  readonly checkUpdate: (resource: Whole<R>, before: Whole<R>) => void;
  /** Carries out what an update changes, before it is written down. @throws {ZorError} and then nothing has changed. Default: nothing is done. */
  readonly carryOut?: (resource: Whole<R>, before: Whole<R>) => Promise<void>;
}

interface Entry<R extends HostResource, F> {
  stored: StoredSpec<R>;
  facts: F | undefined;
  isDoomed: boolean;
}

const factsFile = "facts.json";

/**
 * Resources of a kind whose making takes an operation: reserved on disk before it begins, so that what a crash cuts short is found and
 * undone. The kind makes and removes what they stand for; this keeps them, tells watchers, and shows them.
 */
export class MadeResources<R extends HostResource, F> implements ResourceSource {
  readonly #kind: MadeKind<R, F>;
  readonly #context: KindContext;
  readonly #store: SpecDirectory<StoredSpec<R>>;
  readonly #entries = new Map<string, Entry<R, F>>();
  readonly #groups = new Map<string, Set<string>>();

  constructor(kind: MadeKind<R, F>, context: KindContext) {
    this.#kind = kind;
    this.#context = context;
    const { state, write } = context;
    this.#store = new SpecDirectory({
      directory: join(state, kindNamed(kind.kind).plural),
      format: (stored) => formatStored(kind.kind, stored),
      parse: (id, text) => parseStored<R>(kind.kind, id, text),
      ...(write === undefined ? {} : { write }),
    });
  }

  /** Reads what is on disk. Resolves to what was cut short: being made, or being deleted. */
  async load(): Promise<readonly Made<R, F>[]> {
    const cut: Made<R, F>[] = [];
    const now = this.#context.now();
    for (const { id, value, damage } of await this.#store.load(now)) {
      const parse = (text: string): F | undefined => this.#kind.parseFacts(parseJson(text));
      const facts = await this.#store.read(id, factsFile, parse, { now, damage });
      for (const text of damage) this.report("file-damaged", id, text);
      if (value === undefined) continue;
      const entry = { stored: value, facts, isDoomed: value.phase === "deleting" };
      this.#put(id, entry);
      if (facts === undefined || value.phase !== "ready") cut.push(toMade(entry));
    }
    return cut;
  }

  has(id: string): boolean {
    const entry = this.#entries.get(id);
    return entry !== undefined && entry.facts !== undefined && !entry.isDoomed;
  }

  find(id: string): R | undefined {
    const entry = this.#entries.get(id);
    return entry === undefined ? undefined : this.#show(entry);
  }

  list(): readonly R[] {
    return [...this.#groups.keys()].flatMap((group) => this.#showGroup(group));
  }

  /** Those of a group as they are kept. */
  group(group: string): readonly Made<R, F>[] {
    const ids = [...(this.#groups.get(group) ?? [])];
    return ids.flatMap((id) => {
      const entry = this.#entries.get(id);
      return entry === undefined ? [] : [toMade(entry)];
    });
  }

  uses(): readonly Use[] {
    return [...this.#entries.values()].flatMap((entry) => this.#kind.uses?.(toMade(entry)) ?? []);
  }

  /** All of them as they are kept. */
  all(): readonly Made<R, F>[] {
    return [...this.#entries.values()].map(toMade);
  }

  /** Whether the name is taken, by one that is being made too. */
  isTaken(id: string): boolean {
    return this.#entries.has(id);
  }

  /** @throws {ZorError} NOT_FOUND */
  get(id: string): Made<R, F> {
    return toMade(this.#entry(id));
  }

  /** As clients see it. @throws {ZorError} NOT_FOUND */
  shown(id: string): R {
    return this.#show(this.#entry(id));
  }

  nameOf(id: string): string {
    return this.#context.references.nameOf(this.#kind.kind, id);
  }

  /** A resource as it would be; nothing is kept. */
  plan(
    id: string,
    wanted: Pick<R, "labels" | "annotations">,
    spec: NonNullable<R["spec"]>,
    caller: string,
  ): Planned<R> {
    const { labels, annotations } = wanted;
    const now = this.#context.now();
    const name = this.nameOf(id);
    return { stored: newStored<R>({ id, name, spec, labels, annotations, caller, now, phase: "creating" }) };
  }

  /** Writes down that it is being made. */
  async reserve({ stored }: Planned<R>): Promise<void> {
    const { id, resource } = stored;
    this.#put(id, { stored, facts: undefined, isDoomed: false });
    try {
      await this.#store.create(id, resource.name);
      await this.#store.write(id, resource.name, stored);
    } catch (error) {
      this.#drop(id);
      await this.#store.remove(id);
      throw error;
    }
    this.#publishGroupOf(id);
  }

  /** It is made. */
  async complete(id: string, facts: F, caller: string): Promise<void> {
    const entry = this.#entry(id);
    await this.#writeFacts(id, facts);
    const stored = { ...entry.stored, phase: "ready" as const };
    await this.#store.write(id, stored.resource.name, stored);
    entry.stored = stored;
    entry.facts = facts;
    this.#publishGroupOf(id);
    this.announce("created", id, caller);
  }

  /** Keeps other facts. */
  async setFacts(id: string, facts: F): Promise<void> {
    const entry = this.#entry(id);
    await this.#writeFacts(id, facts);
    entry.facts = facts;
    this.#publishGroupOf(id);
  }

  /** Changes a specification; nobody has asked for it. */
  async setSpec(id: string, spec: NonNullable<R["spec"]>): Promise<void> {
    const entry = this.#entry(id);
    const changed = changedSpec(entry.stored, spec, { caller: "", now: this.#context.now() });
    await this.#store.write(id, changed.resource.name, changed);
    entry.stored = changed;
    this.#publishGroupOf(id);
  }

  /** Changes what may be changed. @throws {ZorError} */
  async update(id: string, asked: AskedUpdate<R>, { validateOnly, caller }: Change): Promise<R> {
    const entry = this.#entry(id);
    const { kind, changeable, checkUpdate, carryOut } = this.#kind;
    const { stored } = entry;
    const resource = updated(stored, asked, { kind, changeable, now: this.#context.now() });
    if (resource === stored.resource) {
      nothingToTell();
      return this.#show(entry);
    }
    checkUpdate(resource, stored.resource);
    const next = { ...stored, resource, changedBy: caller };
    if (validateOnly) return this.#show({ ...entry, stored: next });
    await carryOut?.(resource, stored.resource);
    await this.#store.write(id, resource.name, next);
    entry.stored = next;
    this.#publishGroupOf(id);
    this.announce("changed", id, caller, changedFields(codecOf(kind), stored.resource, resource));
    return this.#show(entry);
  }

  /** Writes down that it is being deleted: a crash from here on finishes that. */
  async doom(id: string): Promise<void> {
    const entry = this.#entry(id);
    const stored = { ...entry.stored, phase: "deleting" as const };
    entry.isDoomed = true;
    try {
      await this.#store.write(id, stored.resource.name, stored);
    } catch (error) {
      // On a full disk deleting must work of all things; the phase only lets a crash in between be finished.
      this.#context.logError(error, `the deletion of ${stored.resource.name} could not be recorded`);
    }
  }

  /** It could not be deleted. */
  async spare(id: string): Promise<void> {
    const entry = this.#entry(id);
    entry.isDoomed = false;
    await this.#store.write(id, entry.stored.resource.name, entry.stored);
  }

  /** Forgets one that is gone. */
  async forget(id: string): Promise<void> {
    await this.#store.remove(id);
    const group = this.#drop(id);
    this.#context.publisher.removed(this.#kind.kind, this.nameOf(id));
    if (group !== undefined) this.#publishGroup(group);
  }

  /** Tells watchers how all are. */
  publish(): void {
    for (const group of this.#groups.keys()) this.#publishGroup(group);
  }

  /** Tells watchers how one is; nothing when it is not there. */
  publishOne(id: string): void {
    const entry = this.#entries.get(id);
    if (entry !== undefined) this.#context.publisher.publish(this.#kind.kind, this.#show(entry));
  }

  announce(what: string, id: string, caller: string, message = ""): void {
    const severity = EventSeverity.EVENT_SEVERITY_INFO;
    const type = `${this.#kind.kind}.${what}`;
    this.#context.publisher.event({ severity, type, resource: this.nameOf(id), message, caller });
  }

  /** Tells of something that should not have happened. */
  report(what: string, id: string, message: string): void {
    const severity = EventSeverity.EVENT_SEVERITY_WARNING;
    const type = `${this.#kind.kind}.${what}`;
    this.#context.publisher.event({ severity, type, resource: this.nameOf(id), message, caller: "" });
  }

  async #writeFacts(id: string, facts: F): Promise<void> {
    await this.#store.writeFile(id, this.nameOf(id), factsFile, `${JSON.stringify(facts)}\n`);
  }

  #groupOf({ id, resource }: StoredSpec<R>): string {
    return this.#kind.groupOf?.(resource.spec) ?? id;
  }

  #put(id: string, entry: Entry<R, F>): void {
    this.#entries.set(id, entry);
    const group = this.#groupOf(entry.stored);
    const ids = this.#groups.get(group) ?? new Set<string>();
    ids.add(id);
    this.#groups.set(group, ids);
  }

  #drop(id: string): string | undefined {
    const entry = this.#entries.get(id);
    if (entry === undefined) return undefined;
    this.#entries.delete(id);
    const group = this.#groupOf(entry.stored);
    const ids = this.#groups.get(group);
    ids?.delete(id);
    if (ids?.size === 0) this.#groups.delete(group);
    return group;
  }

  /** What is known of one may follow from another of its group. */
  #publishGroupOf(id: string): void {
    this.#publishGroup(this.#groupOf(this.#entry(id).stored));
  }

  #publishGroup(group: string): void {
    for (const resource of this.#showGroup(group)) this.#context.publisher.publish(this.#kind.kind, resource);
  }

  #showGroup(group: string): readonly R[] {
    const all = this.group(group);
    return all.map((made) => ({ ...made.resource, status: this.#kind.toStatus(made, all) }));
  }

  #show(entry: Entry<R, F>): R {
    const made = toMade(entry);
    const group = this.group(this.#groupOf(entry.stored));
    return { ...made.resource, status: this.#kind.toStatus(made, group) };
  }

  #entry(id: string): Entry<R, F> {
    const entry = this.#entries.get(id);
    if (entry !== undefined) return entry;
    throw notFound(this.nameOf(id), `list them with: zor get ${kindNamed(this.#kind.kind).plural}`);
  }
}

/** A resource that is not kept yet. */
export interface Planned<R extends HostResource> {
  readonly stored: StoredSpec<R>;
}

function toMade<R extends HostResource, F>({ stored, facts, isDoomed }: Entry<R, F>): Made<R, F> {
  return { id: stored.id, resource: stored.resource, facts, isDoomed };
}
