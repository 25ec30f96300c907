import type { AnyResource } from "../../lib/kinds/resource.js";
import { TokenBucket } from "../../lib/token-bucket.js";
import { sizeOf } from "./credible.js";

/** Most resources of a kind that one host may have. */
const most: Readonly<Record<string, number>> = {
  host: 1,
  instance: 4_000,
  lan: 25_000,
  a2b: 10_000,
  wire: 25_000,
  operation: 5_000,
  event: Number.POSITIVE_INFINITY,
  link: 0,
};
/** The same, of every other kind. */
const mostOfOthers = 10_000;
/** Most bytes of all of them together, as they are sent. */
const mostBytes = 64 * 1024 * 1024;
/** Events may come at once when a host is seen again, and at this rate from then on: the hub keeps the newest of all hosts together. */
const eventRate = { burst: 600, perSecond: 20 };

/** Bounds what one host may have the hub keep, however much its agent tells of. */
export class HostBounds {
  /** Bytes of each resource, by kind and name. */
  readonly #known = new Map<string, Map<string, number>>();
  readonly #events: TokenBucket;
  #bytes = 0;

  /** @param now milliseconds of a clock that only goes forward. */
  constructor(now: () => number = () => performance.now()) {
    this.#events = new TokenBucket(eventRate, now);
  }

  /** Takes a resource in; what it exceeds, and then it is not taken in. @param size its bytes, where they are known. */
  add(resource: AnyResource, size = sizeOf(resource)): string | undefined {
    if (resource.kind === "event")
      return this.#events.take() ? undefined : `it tells more than ${eventRate.perSecond} events a second`;
    const { name } = resource.value;
    const ofKind = this.#ofKind(resource.kind);
    const before = ofKind.get(name);
    const limit = most[resource.kind] ?? mostOfOthers;
    if (before === undefined && ofKind.size >= limit) return `it has more than ${limit} of them`;
    const bytes = this.#bytes - (before ?? 0) + size;
    if (bytes > mostBytes) return `it tells more than ${mostBytes / 2 ** 20} MiB in all`;
    ofKind.set(name, size);
    this.#bytes = bytes;
    return undefined;
  }

  /** A resource is gone. */
  remove(name: string): void {
    for (const ofKind of this.#known.values()) {
      this.#bytes -= ofKind.get(name) ?? 0;
      ofKind.delete(name);
    }
  }

  /** Only these are there. */
  retainOnly(names: ReadonlySet<string>): void {
    for (const ofKind of this.#known.values()) {
      for (const [name, size] of ofKind) {
        if (names.has(name)) continue;
        this.#bytes -= size;
        ofKind.delete(name);
      }
    }
  }

  #ofKind(kind: string): Map<string, number> {
    const known = this.#known.get(kind);
    if (known !== undefined) return known;
    const made = new Map<string, number>();
    this.#known.set(kind, made);
    return made;
  }
}
