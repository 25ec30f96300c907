import { failedPrecondition, type ZorError } from "../../../lib/errors.js";
import { EventSeverity } from "../../../proto/gen/zor/v1/event.js";
import type { Instance } from "../../../proto/gen/zor/v1/instance.js";
import type { Discovering, FoundInstance } from "../../drivers/abilities/discovering.js";
import type { InstanceDriver } from "../../drivers/driver.js";
import type { EventDraft } from "../../kit/events.js";
import { toFoundInstance } from "./record.js";

/** Something that is shown but not ours. */
export interface Discovered extends FoundInstance {
  readonly driver: InstanceDriver;
  readonly discovering: Discovering;
  readonly seenTime: Date;
}

/** What the list of what was found works with. */
export interface DiscoveriesOptions {
  readonly host: string;
  readonly drivers: readonly InstanceDriver[];
  /** Tells watchers of one that is shown, or is shown no more. */
  readonly publish: (instance: Instance) => void;
  readonly removed: (name: string) => void;
  readonly emit: (event: EventDraft) => void;
  readonly logError: (error: unknown, message: string) => void;
  readonly now: () => Date;
}

/** The agent's own instances, which come before what was found. */
interface Own {
  /** One has this uid: it is what was found, and adopted. */
  hasUid(uid: string): boolean;
  /** One has this id, whatever it is. */
  hasId(id: string): boolean;
}

/** What drivers found that no agent made and nobody has adopted: shown read-only, and nowhere on disk. */
export class Discoveries {
  readonly #options: DiscoveriesOptions;
  readonly #own: Own;
  readonly #byUid = new Map<string, Discovered>();
  /** Uids of those that have an id, or would have it if no other had. */
  readonly #named = new Map<string, Set<string>>();
  /** Those that are shown, by id. */
  readonly #shown = new Map<string, Discovered>();

  constructor(options: DiscoveriesOptions, own: Own) {
    this.#options = options;
    this.#own = own;
  }

  list(): Instance[] {
    return [...this.#shown.values()].map((found) => this.#toInstance(found));
  }

  find(id: string): Instance | undefined {
    const found = this.#shown.get(id);
    return found === undefined ? undefined : this.#toInstance(found);
  }

  has(id: string): boolean {
    return this.#shown.has(id);
  }

  get(id: string): Discovered | undefined {
    return this.#shown.get(id);
  }

  /** @throws {ZorError} FAILED_PRECONDITION when that is what was found: nothing of it can be changed. */
  assertOwn(id: string): void {
    if (this.#shown.has(id)) throw notAdopted(this.#options.host, id);
  }

  /** Follows what drivers find until the signal aborts. */
  async follow(signal: AbortSignal): Promise<void> {
    await Promise.all(
      this.#options.drivers.map(async (driver) => {
        const { discover } = driver.can;
        if (discover === undefined) return;
        try {
          for await (const news of discover.discover(signal)) {
            if (news.type === "gone") this.#lose(news.uid);
            else this.#see(driver, discover, news.found);
          }
        } catch (error) {
          if (!signal.aborted) this.#options.logError(error, `driver ${driver.kind} finds nothing any more`);
        }
      }),
    );
  }

  /** It is an instance of the agent's own from now on. Watchers are told by the instance that stands in its place. */
  adopted(id: string): void {
    this.#shown.delete(id);
  }

  /** An instance of the agent's own is gone: what it was, or stood in the way of, is shown again. */
  released(id: string, uid: string): void {
    for (const each of new Set([uid, ...(this.#named.get(id) ?? [])])) {
      const found = this.#byUid.get(each);
      if (found !== undefined) this.#show(found, "instance.found");
    }
  }

  /** Keeps what was found, in place of what was known of it; undefined: it is gone. */
  #keep(uid: string, found: Discovered | undefined): void {
    const before = this.#byUid.get(uid);
    if (before !== undefined && before.id !== found?.id) {
      const others = this.#named.get(before.id);
      others?.delete(uid);
      if (others?.size === 0) this.#named.delete(before.id);
    }
    if (found === undefined) {
      this.#byUid.delete(uid);
      return;
    }
    this.#byUid.set(uid, found);
    const named = this.#named.get(found.id) ?? new Set();
    this.#named.set(found.id, named.add(uid));
  }

  #see(driver: InstanceDriver, discovering: Discovering, news: FoundInstance): void {
    const found = { ...news, driver, discovering, seenTime: this.#options.now() };
    const before = this.#byUid.get(found.uid);
    this.#keep(found.uid, found);
    // It has another name now.
    if (before !== undefined && before.id !== found.id && this.#shown.get(before.id)?.uid === found.uid)
      this.#hide(before.id, "it has another name now");
    const isKnown = this.#shown.get(found.id)?.uid === found.uid;
    if (!isKnown) this.#show(found, "instance.found");
    else {
      this.#shown.set(found.id, found);
      this.#options.publish(this.#toInstance(found));
    }
  }

  #lose(uid: string): void {
    const found = this.#byUid.get(uid);
    if (found === undefined) return;
    this.#keep(uid, undefined);
    if (this.#shown.get(found.id)?.uid === uid) this.#hide(found.id, "it is on its host no more");
  }

  #show(found: Discovered, type: string): void {
    const { id, uid } = found;
    if (this.#shown.has(id) || this.#own.hasUid(uid) || this.#own.hasId(id)) return;
    this.#shown.set(id, found);
    const instance = this.#toInstance(found);
    this.#options.publish(instance);
    this.#tell(type, instance.name, "it was found on its host, and is not adopted");
  }

  #hide(id: string, message: string): void {
    this.#shown.delete(id);
    const name = nameOf(this.#options.host, id);
    this.#options.removed(name);
    this.#tell("instance.gone", name, message);
  }

  #tell(type: string, resource: string, message: string): void {
    this.#options.emit({ severity: EventSeverity.EVENT_SEVERITY_INFO, type, resource, message, caller: "" });
  }

  #toInstance(found: Discovered): Instance {
    return toFoundInstance(nameOf(this.#options.host, found.id), found, found.seenTime);
  }
}

function nameOf(host: string, id: string): string {
  return `hosts/${host}/instances/${id}`;
}

function notAdopted(host: string, id: string): ZorError {
  const message = `${nameOf(host, id)} was found on its host and is only shown; take it over first, with: zor adopt ${host}/${id}`;
  return failedPrecondition("NOT_ADOPTED", nameOf(host, id), message);
}
