import type { DriverEvent } from "../driver.js";

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

  /** Begins to tell of an adopted domain. */
  watch(uuid: string, uri: string): void {
    this.#watched.set(uuid, uri);
  }

  forget(uuid: string): void {
    this.#watched.delete(uuid);
  }

  isWatched(uuid: string, uri: string): boolean {
    return this.#watched.get(uuid) === uri;
  }

  tell(uuid: string): void {
    this.#found.add(uuid);
    if (this.#watched.has(uuid)) this.#adopted.add(uuid);
  }

  async *events(signal: AbortSignal): AsyncGenerator<DriverEvent> {
    for await (const uid of this.#adopted.read(signal)) yield { uid, type: "changed", message: "" };
  }

  changes(signal: AbortSignal): AsyncGenerator<string> {
    return this.#found.read(signal);
  }

  close(): void {
    this.#found.close();
    this.#adopted.close();
  }
}
