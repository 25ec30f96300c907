import { noMeta } from "../../../lib/kinds/meta.js";
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { pause } from "../../../lib/backoff.js";
import { alreadyExists, failedPrecondition, invalidFields, messageOf, notFound } from "../../../lib/errors.js";
import { KeyedQueue } from "../../../lib/keyed-queue.js";
import type { Log } from "../../../lib/log.js";
import type { ResourceId } from "../../../lib/names.js";
import { type A2b, type A2bSpec, A2bState } from "../../../proto/gen/zor/v1/a2b.js";
import { EventSeverity } from "../../../proto/gen/zor/v1/event.js";
import type { EventDraft } from "../instance/context.js";
import { type DurableWriter, SpecDirectory } from "../../kit/spec-directory.js";
import type { CablePlugger } from "../../cable/plugger.js";
import { checkA2b, formatStored, fromBox, newStored, parseStored, type StoredA2b, toBox } from "./a2b-spec.js";
import { downStatus } from "./a2b-status.js";
import { boxSocket, type WantedBox } from "../../engine/protocol/box-protocol.js";
import { BoxSession } from "../../cable/box-session.js";
import { findLoop } from "./loop.js";

/** What the boxes need of the agent around them. */
export interface A2bContext {
  readonly host: string;
  /** State directory of the agent. */
  readonly stateDirectory: string;
  readonly plugger: CablePlugger;
  /** Whether there is such a lan, and whether it runs RSTP; undefined: no such lan. */
  readonly findLan: (id: string) => { readonly rstp: boolean } | undefined;
  readonly publish: (a2b: A2b) => void;
  readonly removed: (name: string) => void;
  readonly emit: (event: EventDraft) => void;
  readonly log: Log;
  readonly write?: DurableWriter;
}

/** What a box is asked to be. */
interface WantedA2b {
  readonly id: ResourceId;
  readonly labels: Readonly<Record<string, string>>;
  readonly spec: A2bSpec | undefined;
}

/** Options of changes. */
interface A2bChangeOptions {
  readonly validateOnly: boolean;
  /** Identity of who asks. */
  readonly caller: string;
}

/** So long a change waits until frames pass; what is not ready then becomes so later, and says so. */
const settleMs = 5_000;
const settlePollMs = 20;

/** The in-line boxes of this host: desired ones on disk, carried out by the cable engine, which outlives the agent. */
export class A2bManager {
  readonly #context: A2bContext;
  readonly #store: SpecDirectory<StoredA2b>;
  readonly #stored = new Map<string, StoredA2b>();
  readonly #queue = new KeyedQueue();
  readonly #ended = new AbortController();
  #session: BoxSession | undefined;
  #awaySince = new Date();

  constructor(context: A2bContext) {
    this.#context = context;
    const { stateDirectory, write } = context;
    this.#store = new SpecDirectory({
      directory: join(stateDirectory, "a2bs"),
      format: formatStored,
      parse: parseStored,
      ...(write === undefined ? {} : { write }),
    });
  }

  /** Reads the desired boxes. Call once the lans are there and before anything else. */
  async restoreAll(): Promise<void> {
    for (const { id, value, damage } of await this.#store.load(new Date())) {
      for (const text of damage) this.#report("a2b.file-damaged", id, text);
      if (value !== undefined) this.#stored.set(id, value);
    }
  }

  /** Begins to speak to the engine, as soon as there is one. */
  connect(): void {
    const { host, stateDirectory, plugger, log } = this.#context;
    this.#session = new BoxSession({
      socketPath: join(stateDirectory, "cable", boxSocket),
      prefix: `hosts/${host}/a2bs/`,
      plugger,
      log,
      onConnected: () => this.#bringUpToDate(),
      onChange: (uids) => this.#onChange(uids),
    });
    this.publishAll();
  }

  /** Names of the boxes that are, or are to be, in a lan. */
  boxesInLan(lan: string): readonly string[] {
    return this.#all()
      .filter(({ a2b }) => a2b.spec.lanA === lan || a2b.spec.lanB === lan)
      .map(({ a2b }) => a2b.name);
  }

  /** All boxes with what the engine says of them. */
  list(): A2b[] {
    return this.#all().map((stored) => this.#toA2b(stored));
  }

  /** @throws {ZorError} NOT_FOUND */
  get(id: string): A2b {
    return this.#toA2b(this.#find(id));
  }

  /** Makes a box. @throws {ZorError} and then nothing has changed. */
  async create(wanted: WantedA2b, options: A2bChangeOptions): Promise<A2b> {
    const { id } = wanted;
    const name = this.#name(id);
    const spec = checkA2b(wanted, name);
    const made = await this.#queue.run("", async () => {
      if (this.#stored.has(id)) throw alreadyExists(name);
      this.#checkLans(spec, name);
      const labels = { ...wanted.labels };
      const a2b = { name, uid: randomUUID(), labels, spec, status: undefined, ...noMeta, createTime: new Date() };
      const stored = newStored(id, a2b);
      if (options.validateOnly) return stored;
      await using undo = new AsyncDisposableStack();
      // Known before it is written, so that no lan of it is deleted meanwhile.
      this.#stored.set(id, stored);
      undo.defer(() => {
        this.#stored.delete(id);
      });
      undo.defer(() => this.#store.remove(id));
      await this.#store.create(id, name);
      await this.#store.write(id, name, stored);
      undo.move();
      await this.#carryOut(stored);
      this.#announce("a2b.created", name, options.caller);
      return stored;
    });
    return options.validateOnly ? made.a2b : this.#settle(made);
  }

  /** Changes a box while frames pass. @throws {ZorError} and then nothing has changed. */
  async update(wanted: WantedA2b, options: A2bChangeOptions): Promise<A2b> {
    const { id } = wanted;
    const name = this.#name(id);
    const spec = checkA2b(wanted, name);
    const changed = await this.#queue.run("", async () => {
      const { a2b } = this.#find(id);
      assertSameLans(a2b.spec, spec, name);
      const stored = newStored(id, { ...a2b, labels: { ...wanted.labels }, spec });
      if (options.validateOnly) return stored;
      await this.#store.write(id, name, stored);
      this.#stored.set(id, stored);
      await this.#carryOut(stored);
      this.#announce("a2b.changed", name, options.caller);
      return stored;
    });
    return options.validateOnly ? changed.a2b : this.#settle(changed);
  }

  /** Deletes a box; its lans are apart again. @throws {ZorError} UNAVAILABLE while the engine is away, and then nothing has changed. */
  async delete(id: string, options: A2bChangeOptions): Promise<void> {
    await this.#queue.run("", async () => {
      const { a2b } = this.#find(id);
      if (options.validateOnly) return;
      await this.#session?.delete(a2b.uid);
      await this.#store.remove(id);
      this.#stored.delete(id);
      this.#context.removed(a2b.name);
      this.#announce("a2b.deleted", a2b.name, options.caller);
    });
  }

  /** Tells watchers of all boxes. */
  publishAll(): void {
    for (const a2b of this.list()) this.#context.publish(a2b);
  }

  /** Lets go of the engine, which keeps its boxes. */
  async close(): Promise<void> {
    this.#ended.abort();
    await this.#session?.close();
  }

  /** Asks the engine for every desired box; one that is as it should be is left alone. */
  async #bringUpToDate(): Promise<void> {
    await this.#queue.run("", async () => {
      for (const view of this.#session?.views.values() ?? []) await this.#keep(view.spec);
      for (const stored of this.#stored.values()) await this.#session?.ensure(toBox(stored));
    });
  }

  /** A box that only the engine knows carries somebody's frames: it gets a file again and is left as it is. */
  async #keep(spec: WantedBox): Promise<void> {
    const id = spec.box.slice(this.#name("").length);
    if (this.#stored.has(id) || !spec.box.startsWith(this.#name(""))) return;
    const stored = fromBox(id, spec, new Date());
    this.#stored.set(id, stored);
    this.#report("a2b.adopted", id, "its file was lost; it was found at the cable engine");
    try {
      await this.#store.create(id, spec.box);
      await this.#store.write(id, spec.box, stored);
    } catch (error) {
      this.#context.log.error({ err: error, box: spec.box }, "the file of a box could not be written again");
    }
  }

  /** Has the engine do it, now or as soon as it is there. */
  async #carryOut(stored: StoredA2b): Promise<void> {
    if (this.#session?.connected !== true) return;
    try {
      await this.#session.ensure(toBox(stored));
    } catch (error) {
      // It is durable: the engine is asked again when it is back, and the status says that it is away.
      this.#context.log.warn({ box: stored.a2b.name, error: messageOf(error) }, "the cable engine did not take a box");
    }
  }

  /** Gives a change a moment and tells how the box is then. */
  async #settle({ id, a2b, revision }: StoredA2b): Promise<A2b> {
    const deadline = performance.now() + settleMs;
    const { signal } = this.#ended;
    while (this.#session?.connected === true && !this.#isSettled(a2b.uid, revision)) {
      if (performance.now() >= deadline || signal.aborted) break;
      await pause(settlePollMs, signal);
    }
    return this.#publish(id);
  }

  #isSettled(uid: string, revision: string): boolean {
    const view = this.#session?.views.get(uid);
    return view?.status.state === A2bState.A2B_STATE_ACTIVE && view.spec.revision === revision;
  }

  #onChange(uids: readonly string[] | undefined): void {
    if (uids === undefined) {
      this.#awaySince = new Date();
      this.publishAll();
      return;
    }
    const changed = new Set(uids);
    for (const stored of this.#all()) if (changed.has(stored.a2b.uid)) this.#context.publish(this.#toA2b(stored));
  }

  #checkLans(spec: A2bSpec, name: string): void {
    const { findLan } = this.#context;
    const missing = [spec.lanA, spec.lanB].find((lan) => findLan(lan) === undefined);
    if (missing !== undefined) {
      throw notFound(`hosts/${this.#context.host}/lans/${missing}`, "create it first, or list them with: zor get lans");
    }
    const loop = findLoop(
      spec,
      this.#all().map(({ a2b }) => a2b.spec),
    );
    if (loop === undefined || loop.every((lan) => findLan(lan)?.rstp === true)) return;
    throw failedPrecondition(
      // The hub, which sees the loops that go through other hosts, says the same.
      "LINK_LOOP",
      name,
      `${name} would close a loop of the lans ${loop.join(", ")}; use other lans, or lans made with rstp, which breaks loops`,
    );
  }

  #toA2b({ a2b }: StoredA2b): A2b {
    const view = this.#session?.views.get(a2b.uid);
    const reason =
      this.#session?.connected === true
        ? "the cable engine is making it"
        : "the cable engine of this host is away and is being started";
    return { ...a2b, status: view?.status ?? downStatus(reason, this.#awaySince) };
  }

  #publish(id: string): A2b {
    const a2b = this.get(id);
    this.#context.publish(a2b);
    return a2b;
  }

  #all(): StoredA2b[] {
    return [...this.#stored.values()];
  }

  #find(id: string): StoredA2b {
    const stored = this.#stored.get(id);
    if (stored !== undefined) return stored;
    throw notFound(this.#name(id), "list them with: zor get a2bs");
  }

  #name(id: string): string {
    return `hosts/${this.#context.host}/a2bs/${id}`;
  }

  #announce(type: string, resource: string, caller: string): void {
    this.#context.emit({ severity: EventSeverity.EVENT_SEVERITY_INFO, type, resource, message: "", caller });
  }

  #report(type: string, id: string, message: string): void {
    const severity = EventSeverity.EVENT_SEVERITY_WARNING;
    this.#context.emit({ severity, type, resource: this.#name(id), message, caller: "" });
  }
}

function assertSameLans(before: A2bSpec, after: A2bSpec, name: string): void {
  const violations = [
    { field: "a2b.spec.lan_a", same: before.lanA === after.lanA, lan: before.lanA },
    { field: "a2b.spec.lan_b", same: before.lanB === after.lanB, lan: before.lanB },
  ]
    .filter(({ same }) => !same)
    .map(({ field, lan }) => ({
      field,
      description: `cannot be changed: it is ${lan}; delete the box and make another`,
    }));
  if (violations.length > 0) throw invalidFields(violations, name);
}
