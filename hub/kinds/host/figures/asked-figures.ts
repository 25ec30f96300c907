import { toDuration } from "../../../../lib/duration.js";
import { messageOf } from "../../../../lib/errors.js";
import { FigureDecoder, type Watched } from "../../../../lib/figures/decoder.js";
import type { Log } from "../../../../lib/log.js";
import type { Figure } from "../../../../proto/gen/zor/v1/figures.js";
import { WatchFiguresRequest, type WatchFiguresResponse } from "../../../../proto/gen/zor/v1/figures_service.js";
import { contextOf } from "./held-figures.js";
import { FleetFigures, type WatchParts } from "./watch-fleet.js";

/** While a query asks for figures they come that often; nobody asks for a while: not at all. */
const [everyMs, idleMs] = [2000, 60_000];
/** The first who asks waits so long for hosts that have not told yet. */
const patienceMs = 2500;
const maxValues = 400_000;

/** What figures are asked with. */
export interface AskedParts extends WatchParts {
  readonly log: Log;
  /** Ends it. */
  readonly stop: AbortSignal;
}

/**
 * What is measured, for queries that ask for it: the hub watches the figures of its hosts while somebody asks, and for a minute longer. Of a host from
 * which nothing comes nothing is known.
 */
export class AskedFigures {
  readonly #parts: AskedParts;
  readonly #fleet: FleetFigures;
  readonly #byName = new Map<string, Set<Watched>>();
  readonly #listeners: ((name: string) => void)[] = [];
  readonly #told = new Set<string>();
  readonly #waiting = new Set<() => void>();
  #decoder = new FigureDecoder(maxValues);
  #users = 0;
  #running: AbortController | undefined;
  #idle: NodeJS.Timeout | undefined;

  constructor(parts: AskedParts) {
    this.#parts = parts;
    this.#fleet = new FleetFigures(parts);
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

  /** Somebody asks, until what is returned is called. Resolves when all hosts that can be asked have told, or have had their time for it. */
  async hold(): Promise<() => void> {
    this.#users += 1;
    clearTimeout(this.#idle);
    if (this.#running === undefined) this.#start();
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
    const running = new AbortController();
    this.#running = running;
    const signal = AbortSignal.any([running.signal, this.#parts.stop]);
    const request = WatchFiguresRequest.fromPartial({ interval: toDuration(everyMs) });
    const follow = async (): Promise<void> => {
      for await (const response of this.#fleet.watch(request, contextOf(signal))) this.#take(response);
    };
    follow().catch((error: unknown) => {
      if (!signal.aborted) this.#parts.log.error({ err: error }, "queries know no figures any more");
    });
  }

  #end(): void {
    this.#running?.abort();
    this.#running = undefined;
    const names = [...this.#byName.keys()];
    this.#byName.clear();
    this.#told.clear();
    this.#decoder = new FigureDecoder(maxValues);
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

  #take(response: WatchFiguresResponse): void {
    const { host, silent, anew } = response;
    if (silent !== "" || anew) this.#forget(host);
    if (silent === "") {
      try {
        for (const subject of this.#decoder.take(response)) this.#file(subject);
        // A subject that is gone was told as one that has changed.
        if (response.gone.length > 0) this.#refile(host);
      } catch (error) {
        this.#forget(host);
        this.#parts.fleet.refuse(host.slice("hosts/".length), { name: host, why: messageOf(error) });
      }
    }
    this.#told.add(host);
    for (const look of [...this.#waiting]) look();
  }

  #file(subject: Watched): void {
    const { name } = subject;
    const subjects = this.#byName.get(name);
    if (subjects === undefined) this.#byName.set(name, new Set([subject]));
    else subjects.add(subject);
    this.#tell(name);
  }

  /** Lets go of what is not measured on a host any more. */
  #refile(host: string): void {
    const current = new Set(this.#decoder.ofHost(host));
    this.#drop((subject) => subject.host === host && !current.has(subject));
  }

  #forget(host: string): void {
    this.#decoder.forget(host);
    this.#drop((subject) => subject.host === host);
  }

  #drop(isGone: (subject: Watched) => boolean): void {
    for (const [name, subjects] of this.#byName) {
      let isOther = false;
      for (const subject of subjects) if (isGone(subject)) isOther = subjects.delete(subject) || isOther;
      if (subjects.size === 0) this.#byName.delete(name);
      if (isOther) this.#tell(name);
    }
  }

  #tell(name: string): void {
    for (const listener of this.#listeners) listener(name);
  }
}
