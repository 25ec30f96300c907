import { filedNamesOf } from "../../lib/query/derived.js";
import type { WatchLog } from "../../lib/watch/watch-log.js";
import type { Link } from "../../proto/gen/zor/v1/link.js";

/** Links by what they end at: the lan, tap or interface, the instance whose that is, and the host. */
export class LinkEnds {
  readonly #links = new Map<string, Map<string, Link>>();
  readonly #filed = new Map<string, readonly string[]>();

  constructor(log: WatchLog) {
    log.follow(["link"], {
      // The log says which kind it tells of.
      changed: ({ value }) => this.#file(value as Link),
      removed: ({ name }) => this.#take(name),
    });
  }

  /** Links that end at a resource. */
  of(name: string): Iterable<Link> {
    return this.#links.get(name)?.values() ?? [];
  }

  #file(link: Link): void {
    this.#take(link.name);
    const names = filedNamesOf(link);
    this.#filed.set(link.name, names);
    for (const name of names) {
      const links = this.#links.get(name) ?? new Map<string, Link>();
      links.set(link.name, link);
      this.#links.set(name, links);
    }
  }

  #take(link: string): void {
    for (const name of this.#filed.get(link) ?? []) {
      const links = this.#links.get(name);
      links?.delete(link);
      if (links?.size === 0) this.#links.delete(name);
    }
    this.#filed.delete(link);
  }
}
