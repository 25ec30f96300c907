import { toDuration } from "../../../../lib/duration.js";
import type { Watched } from "../../../../lib/figures/decoder.js";
import type { Figure } from "../../../../proto/gen/zor/v1/figures.js";
import { WatchFiguresRequest } from "../../../../proto/gen/zor/v1/figures_service.js";
import { KeptFigures, type KeptParts, type Taken } from "./kept-figures.js";

/** While a query asks for figures they come that often; nobody asks for a while: not at all. */
const [everyMs, idleMs] = [2000, 60_000];
/** The first who asks waits so long for hosts that have not told yet. */
const patienceMs = 2500;

/**
 * What is measured, for queries that ask for it: the hub watches those figures of its hosts for which somebody has asked, while somebody asks for any, and
 * for a minute longer. Of a host from which nothing comes nothing is known.
 */
export class AskedFigures {
  readonly #parts: KeptParts;
  readonly #figures: KeptFigures;
  readonly #byName = new Map<string, Set<Watched>>();
  /** The same, by hosts ("hosts/{host}"). */
  readonly #byHost = new Map<string, Set<Watched>>();
  readonly #asked = new Set<Figure>();
  readonly #listeners: ((name: string) => void)[] = [];
  readonly #told = new Set<string>();
  readonly #waiting = new Set<() => void>();
  #users = 0;
  #running: AbortController | undefined;
  #idle: NodeJS.Timeout | undefined;

  constructor(parts: KeptParts) {
    this.#parts = parts;
    this.#figures = new KeptFigures(parts);
  }

  onFigure(listener: (name: string) => void): void {
    this.#listeners.push(listener);
  }

  /** Of ends of links and wires the largest. */
  figure(name: string, figure: Figure): number | undefined {
    let most: number | undefined;
    for (const { part, values } of this.#byName.get(name) ?? []) {
      const value = values.get(figure);
      if (value === undefined || (part !== "" && name.startsWith("hosts/") && !name.includes("/wires/"))) continue;
      most = most === undefined ? value : Math.max(most, value);
    }
    return most;
  }

  /**
   * Somebody asks for figures, until what is returned is called. Resolves when all hosts that can be asked have told, or have had their time for it;
   * what others ask for stays known meanwhile.
   */
  async hold(figures: ReadonlySet<Figure>): Promise<() => void> {
    this.#users += 1;
    clearTimeout(this.#idle);
    const more = [...figures].filter((figure) => !this.#asked.has(figure));
    for (const figure of more) this.#asked.add(figure);
    if (this.#running === undefined || more.length > 0) this.#start();
    await this.#first();
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      this.#users -= 1;
      if (this.#users === 0) this.#idle = setTimeout(() => this.#end(), idleMs).unref();
    };
  }

  #start(): void {
    this.#running?.abort();
    const running = new AbortController();
    this.#running = running;
    this.#told.clear();
    const signal = AbortSignal.any([running.signal, this.#parts.stop]);
    const request = WatchFiguresRequest.fromPartial({ interval: toDuration(everyMs), figures: [...this.#asked] });
    // Every host begins anew, and until it does what it told before is known.
    this.#figures.clear();
    const following = this.#figures.follow(request, signal, (taken) => this.#take(taken));
    following.catch((error: unknown) => {
      if (!signal.aborted) this.#parts.log.error({ err: error }, "queries know no figures any more");
    });
  }

  #end(): void {
    this.#running?.abort();
    this.#running = undefined;
    this.#figures.clear();
    const names = [...this.#byName.keys()];
    for (const known of [this.#byName, this.#byHost, this.#told, this.#asked]) known.clear();
    for (const name of names) this.#tell(name);
  }

  /** Resolves when no host is missing. */
  async #first(): Promise<void> {
    if (this.#isComplete()) return;
    await new Promise<void>((resolve) => {
      const look = (): void => {
        if (this.#isComplete()) end();
      };
      const timer = setTimeout(() => end(), patienceMs).unref();
      const end = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(look);
        resolve();
      };
      this.#waiting.add(look);
    });
  }

  #isComplete(): boolean {
    const { fleet, router } = this.#parts;
    return fleet
      .list(new Date())
      .every(({ name, uid }) => uid === "" || !router.isReady(name.slice("hosts/".length)) || this.#told.has(name));
  }

  #take({ host, isForgotten, changed, hasGone }: Taken): void {
    if (isForgotten) this.#drop(host, () => true);
    for (const subject of changed) this.#file(subject);
    // A subject that is gone was told as one that has changed.
    if (hasGone) this.#refile(host);
    this.#told.add(host);
    for (const look of [...this.#waiting]) look();
  }

  #file(subject: Watched): void {
    const { host, name } = subject;
    filed(this.#byName, name).add(subject);
    filed(this.#byHost, host).add(subject);
    this.#tell(name);
  }

  /** Lets go of what is not measured on a host any more. */
  #refile(host: string): void {
    const current = new Set(this.#figures.ofHost(host));
    this.#drop(host, (subject) => !current.has(subject));
  }

  /** Costs what the host has, not what the fleet has. */
  #drop(host: string, isGone: (subject: Watched) => boolean): void {
    const own = this.#byHost.get(host) ?? new Set();
    for (const subject of own) {
      if (!isGone(subject)) continue;
      own.delete(subject);
      const { name } = subject;
      const subjects = this.#byName.get(name);
      subjects?.delete(subject);
      if (subjects?.size === 0) this.#byName.delete(name);
      this.#tell(name);
    }
    if (own.size === 0) this.#byHost.delete(host);
  }

  #tell(name: string): void {
    for (const listener of this.#listeners) listener(name);
  }
}

function filed(all: Map<string, Set<Watched>>, key: string): Set<Watched> {
  const known = all.get(key) ?? new Set();
  all.set(key, known);
  return known;
}
