import type { DriverEvent } from "../driver.js";
import type { DomainChange } from "./domain-changes.js";

/** A set of what is to be looked at, which its one consumer waits for: nothing is missed, and nothing piles up. */
class Dirty {
  readonly #uids = new Set<string>();
  #wake = Promise.withResolvers<void>();
  #isClosed = false;

  add(uid: string): void {
    this.#uids.add(uid);
    this.#wake.resolve();
  }

  close(): void {
    this.#isClosed = true;
    this.#wake.resolve();
  }

  async *read(signal: AbortSignal): AsyncGenerator<string> {
    const onAbort = () => this.#wake.resolve();
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      while (!signal.aborted && !this.#isClosed) {
        const [uid] = this.#uids;
        if (uid === undefined) {
          await this.#wake.promise;
          this.#wake = Promise.withResolvers();
          continue;
        }
        this.#uids.delete(uid);
        yield uid;
      }
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }
}

/** Tells of domains that may have changed: of all to who discovers, of those that are adopted to who observes. */
export class Announcements {
  readonly #found = new Dirty();
  readonly #adopted = new Dirty();
  readonly #watched = new Map<string, string>();
  /** What is known to have happened to those that are to be told of, each once. */
  readonly #changes = new Map<string, Set<DomainChange>>();

  /** Begins to tell of an adopted domain. */
  watch(uuid: string, uri: string): void {
    this.#watched.set(uuid, uri);
  }

  forget(uuid: string): void {
    this.#watched.delete(uuid);
    this.#changes.delete(uuid);
  }

  isWatched(uuid: string, uri: string): boolean {
    return this.#watched.get(uuid) === uri;
  }

  tell(uuid: string, changes: readonly DomainChange[] = []): void {
    this.#found.add(uuid);
    if (!this.#watched.has(uuid)) return;
    const known = this.#changes.get(uuid) ?? new Set();
    for (const change of changes) known.add(change);
    this.#changes.set(uuid, known);
    this.#adopted.add(uuid);
  }

  async *events(signal: AbortSignal): AsyncGenerator<DriverEvent> {
    for await (const uid of this.#adopted.read(signal)) {
      const known = [...(this.#changes.get(uid) ?? [])];
      this.#changes.delete(uid);
      for (const type of known.length === 0 ? ["changed"] : known) yield { uid, type, message: "" };
    }
  }

  changes(signal: AbortSignal): AsyncGenerator<string> {
    return this.#found.read(signal);
  }

  close(): void {
    this.#found.close();
    this.#adopted.close();
  }
}
