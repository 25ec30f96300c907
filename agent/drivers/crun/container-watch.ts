import { AsyncQueue } from "../../../lib/async-queue.js";
import { pause } from "../../../lib/backoff.js";
import { isAlive, type ProcessIdentity } from "../../../lib/process.js";
import type { DriverEvent } from "../driver.js";

/** Nobody but conmon is told when a container's first process ends; reading one /proc file each is cheap. */
const intervalMs = 250;
const maxQueuedEvents = 4096;

/** Watches the first processes of containers and tells what happens to them. */
export class ContainerWatch {
  readonly #containers = new Map<string, ProcessIdentity>();
  readonly #queue = new AsyncQueue<DriverEvent>(maxQueuedEvents);

  /** Begins to watch a container. */
  add(uid: string, identity: ProcessIdentity): void {
    this.#containers.set(uid, identity);
  }

  /** Ends watching a container that has ended. */
  remove(uid: string, message: string): void {
    if (this.#containers.delete(uid)) this.emit(uid, "exited", message);
  }

  /** Ends watching a container without telling of its end. */
  forget(uid: string): void {
    this.#containers.delete(uid);
  }

  /** Tells of something. When nobody has listened for very long, the event is lost: the listener inspects at intervals too. */
  emit(uid: string, type: string, message = ""): void {
    this.#queue.push({ uid, type, message });
  }

  /** All events until the signal aborts. One consumer. */
  async *events(signal: AbortSignal): AsyncGenerator<DriverEvent> {
    const looking = this.#look(signal);
    try {
      yield* this.#queue;
    } finally {
      await looking;
    }
  }

  async #look(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      for (const [uid, identity] of this.#containers) {
        if ((await isAlive(identity)) || this.#containers.get(uid) !== identity) continue;
        this.remove(uid, "its first process has ended");
      }
      await pause(intervalMs, signal);
    }
    this.#queue.end();
  }
}
