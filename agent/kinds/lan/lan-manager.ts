import { noMeta } from "../../../lib/kinds/meta.js";
import { randomUUID } from "node:crypto";
import { z } from "zod";
import {
  alreadyExists,
  type FieldViolation,
  failedPrecondition,
  invalidFields,
  messageOf,
  notFound,
} from "../../../lib/errors.js";
import { KeyedQueue } from "../../../lib/keyed-queue.js";
import { checkLabels } from "../../../lib/labels.js";
import type { ResourceId } from "../../../lib/names.js";
import { agreeing, listed } from "../../../lib/words.js";
import { Lan, type LanPort, type LanSpec, type LanStatus } from "../../../proto/gen/zor/v1/lan.js";
import { EventSeverity } from "../../../proto/gen/zor/v1/event.js";
import type { EventDraft } from "../instance/context.js";
import { asFailure } from "../../kit/failure.js";
import { type DurableWriter, SpecDirectory } from "../../kit/spec-directory.js";
import type { Lans, ObservedLan, ObservedPort } from "../../network/bridges.js";

/** What the lans need of the agent around them. */
export interface LanContext {
  readonly host: string;
  /** The lans of the switch. */
  readonly lans: Pick<Lans, "ensureLan" | "deleteLan" | "list" | "find">;
  readonly directory: string;
  readonly publish: (lan: Lan) => void;
  readonly removed: (name: string) => void;
  readonly emit: (event: EventDraft) => void;
  readonly logError: (error: unknown, message: string) => void;
  /** Names of instances' NICs that are, or will be when started, in the lan. */
  readonly nicsInLan: (lan: string) => readonly string[];
  readonly now: () => Date;
  readonly write?: DurableWriter;
}

/** What a new lan is asked to be. */
export interface NewLan {
  readonly id: ResourceId;
  readonly labels: Readonly<Record<string, string>>;
  readonly spec: LanSpec | undefined;
}

/** Options of changes. */
export interface LanChangeOptions {
  readonly validateOnly: boolean;
  /** Identity of who asks. */
  readonly caller: string;
}

interface StoredLan {
  readonly id: string;
  /** Without status. */
  readonly lan: Lan & { readonly spec: LanSpec };
}

const defaultMtu = 1500;
const mtuRange = { min: 576, max: 9216 } as const;

/** The lans of this host: desired ones on disk, made again at every start; observed ones from the switch. */
export class LanManager {
  readonly #context: LanContext;
  readonly #store: SpecDirectory<StoredLan>;
  readonly #stored = new Map<string, StoredLan>();
  readonly #deleting = new Set<string>();
  readonly #failures = new Map<string, string>();
  readonly #queue = new KeyedQueue();

  constructor(context: LanContext) {
    this.#context = context;
    const { directory, write } = context;
    this.#store = new SpecDirectory({
      directory,
      format: formatStoredLan,
      parse: parseStoredLan,
      ...(write === undefined ? {} : { write }),
    });
  }

  /** Makes all desired lans again. Lans the switch has but the disk does not (their files were damaged) are kept. */
  async restoreAll(): Promise<void> {
    for (const { id, value, damage } of await this.#store.load(this.#context.now())) {
      for (const text of damage) this.#report("lan.file-damaged", id, text);
      if (value === undefined) continue;
      this.#stored.set(id, value);
      await this.#ensure(value).catch((error: unknown) => {
        this.#context.logError(error, `lan ${id} could not be made again`);
        this.#report("lan.failed", id, this.#failures.get(id) ?? "");
      });
    }
    for (const observed of this.#context.lans.list()) {
      if (!this.#stored.has(observed.id)) await this.#keep(observed);
    }
    this.publishAll();
  }

  has(id: string): boolean {
    return this.#stored.has(id) && !this.#deleting.has(id);
  }

  /** MTU in bytes; undefined when there is no such lan. */
  findMtu(id: string): number | undefined {
    return this.#stored.get(id)?.lan.spec.mtu;
  }

  /** All lans with what the switch says of them now. */
  list(): Lan[] {
    const observed = new Map(this.#context.lans.list().map((lan) => [lan.id, lan]));
    return [...this.#stored.values()].map((stored) => this.#toLan(stored, observed.get(stored.id)));
  }

  /** @throws {ZorError} NOT_FOUND */
  get(id: string): Lan {
    return this.#toLan(this.#find(id), this.#context.lans.find(id));
  }

  /** Makes a lan. @throws {ZorError} and then nothing has changed. */
  async create(wanted: NewLan, options: LanChangeOptions): Promise<Lan> {
    const { id } = wanted;
    const name = this.#name(id);
    const spec = checkLan(wanted, name);
    return this.#queue.run(id, async () => {
      if (this.#stored.has(id)) throw alreadyExists(name);
      const createTime = this.#context.now();
      const lan = {
        name,
        uid: randomUUID(),
        labels: { ...wanted.labels },
        spec,
        status: undefined,
        ...noMeta,
        createTime,
      };
      if (options.validateOnly) return lan;
      const stored = { id, lan };
      await using undo = new AsyncDisposableStack();
      undo.defer(() => this.#store.remove(id));
      await this.#store.create(id, name);
      await this.#store.write(id, name, stored);
      undo.defer(() => this.#context.lans.deleteLan(id));
      await this.#ensure(stored);
      undo.move();
      this.#stored.set(id, stored);
      this.#announce("lan.created", name, options.caller);
      const made = this.get(id);
      this.#context.publish(made);
      return made;
    });
  }

  /** Deletes a lan. @throws {ZorError} FAILED_PRECONDITION while anything is plugged in. */
  async delete(id: string, options: LanChangeOptions): Promise<void> {
    this.#find(id);
    await this.#queue.run(id, async () => {
      this.#find(id);
      // From here on nothing new can be plugged in; checked afterwards, so that nothing slips in between.
      this.#deleting.add(id);
      try {
        this.#assertEmpty(id);
        if (options.validateOnly) return;
        await this.#context.lans.deleteLan(id);
        await this.#store.remove(id);
        this.#stored.delete(id);
        this.#failures.delete(id);
      } catch (error) {
        throw asFailure(error, this.#name(id), "delete");
      } finally {
        this.#deleting.delete(id);
      }
      this.#context.removed(this.#name(id));
      this.#announce("lan.deleted", this.#name(id), options.caller);
    });
  }

  /** Tells watchers of all lans. */
  publishAll(): void {
    for (const lan of this.list()) this.#context.publish(lan);
  }

  async #ensure(stored: StoredLan): Promise<void> {
    const { uid, name, spec } = stored.lan;
    try {
      await this.#context.lans.ensureLan({ id: stored.id, uid, mtu: spec.mtu, rstp: spec.rstp });
      this.#failures.delete(stored.id);
    } catch (error) {
      const failure = asFailure(error, name, "make");
      this.#failures.set(stored.id, messageOf(failure));
      throw failure;
    }
  }

  /** A lan that only the switch knows carries somebody's frames: it gets a file again and is left as it is. */
  async #keep(observed: ObservedLan): Promise<void> {
    const name = this.#name(observed.id);
    const spec = { mtu: defaultMtu, rstp: false };
    const lan = { name, uid: observed.uid, labels: {}, spec, status: undefined, ...noMeta, createTime: undefined };
    const stored = { id: observed.id, lan };
    this.#stored.set(observed.id, stored);
    this.#report("lan.adopted", observed.id, "its file was lost; it was found at the switch");
    try {
      await this.#store.create(observed.id, name);
      await this.#store.write(observed.id, name, stored);
    } catch (error) {
      this.#context.logError(error, `the file of lan ${observed.id} could not be written again`);
    }
  }

  #toLan(stored: StoredLan, observed: ObservedLan | undefined): Lan {
    return { ...stored.lan, status: this.#toStatus(stored.id, observed) };
  }

  #toStatus(id: string, observed: ObservedLan | undefined): LanStatus {
    const missing = this.#failures.get(id) ?? "the switch does not have it";
    return {
      datapath: observed?.datapath ?? "",
      ports: (observed?.ports ?? []).map(toLanPort),
      reason: observed === undefined ? missing : observed.reason,
      observeTime: this.#context.now(),
    };
  }

  #assertEmpty(id: string): void {
    const plugged = this.#context.lans.find(id)?.ports.map(({ endpoint }) => endpoint) ?? [];
    const endpoints = [...new Set([...plugged, ...this.#context.nicsInLan(id)])];
    if (endpoints.length === 0) return;
    const name = this.#name(id);
    const them = agreeing(endpoints.length, "it", "them");
    throw failedPrecondition(
      "LAN_IN_USE",
      name,
      `${name} is in use by ${listed(endpoints, 3)}; detach or delete ${them} first`,
    );
  }

  #find(id: string): StoredLan {
    const stored = this.#stored.get(id);
    if (stored !== undefined) return stored;
    throw notFound(this.#name(id), "list them with: zor get lans");
  }

  #name(id: string): string {
    return `hosts/${this.#context.host}/lans/${id}`;
  }

  #announce(type: string, resource: string, caller: string): void {
    this.#context.emit({ severity: EventSeverity.EVENT_SEVERITY_INFO, type, resource, message: "", caller });
  }

  #report(type: string, id: string, message: string): void {
    const severity = EventSeverity.EVENT_SEVERITY_WARNING;
    this.#context.emit({ severity, type, resource: this.#name(id), message, caller: "" });
  }
}

/** Checks a new lan and fills in the defaults. @throws {ZorError} INVALID_ARGUMENT */
function checkLan(wanted: NewLan, name: string): LanSpec {
  const spec = { mtu: wanted.spec?.mtu ?? 0, rstp: wanted.spec?.rstp ?? false };
  const mtu = spec.mtu === 0 ? defaultMtu : spec.mtu;
  const violations: FieldViolation[] = checkLabels("lan.labels", wanted.labels);
  if (mtu < mtuRange.min || mtu > mtuRange.max) {
    const description = `${mtu} bytes is not between ${mtuRange.min} and ${mtuRange.max}`;
    violations.push({ field: "lan.spec.mtu", description });
  }
  if (violations.length > 0) throw invalidFields(violations, name);
  return { ...spec, mtu };
}

function toLanPort(port: ObservedPort): LanPort {
  const { endpoint, rxFrames, rxBytes, txFrames, txBytes, droppedFrames } = port;
  return { endpoint, port: port.port, rxFrames, rxBytes, txFrames, txBytes, droppedFrames };
}

const storedLanSchema = z.object({
  version: z.literal(1),
  id: z.string().min(1),
  lan: z.looseObject({ name: z.string().min(1), uid: z.string().min(1), spec: z.looseObject({}) }),
});

function formatStoredLan(stored: StoredLan): string {
  const lan = Lan.toJSON({ ...stored.lan, status: undefined });
  return `${JSON.stringify({ version: 1, id: stored.id, lan }, undefined, 2)}\n`;
}

function parseStoredLan(id: string, text: string): StoredLan | undefined {
  const parsed = storedLanSchema.safeParse(parseJson(text));
  if (!parsed.success || parsed.data.id !== id) return undefined;
  const lan = Lan.fromJSON(parsed.data.lan);
  return { id, lan: { ...lan, spec: lan.spec ?? { mtu: defaultMtu, rstp: false } } };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
