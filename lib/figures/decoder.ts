import type { Figure } from "../../proto/gen/zor/v1/figures.js";
import type { WatchFiguresResponse } from "../../proto/gen/zor/v1/figures_service.js";

/** Something that is measured, as a watcher has it. */
export interface Watched {
  /** "hosts/{host}" that measures it. */
  readonly host: string;
  readonly name: string;
  readonly part: string;
  /** By figure. */
  readonly values: Map<Figure, number>;
}

interface Slot {
  readonly subject: Watched;
  readonly figure: Figure;
}

/** A host, as a watcher has it. */
interface WatchedHost {
  /** Why nothing comes from it; "": it does. */
  silent: string;
  /** When it was measured last. */
  timeMs: number;
  readonly subjects: Map<number, Watched>;
  readonly slots: Slot[];
}

/** More values of a host nobody has. */
const mostValues = 4_000_000;

/** All figures of a watch, kept as its responses tell them. */
export class FigureDecoder {
  readonly #hosts = new Map<string, WatchedHost>();
  readonly #maxValues: number;

  /** @param maxValues values of a host, with those that are gone; one that tells of more contradicts itself. */
  constructor(maxValues = mostValues) {
    this.#maxValues = maxValues;
  }

  /** Takes a response in, and tells of what it says something new. @throws {Error} for one that contradicts those before. */
  take(response: WatchFiguresResponse): ReadonlySet<Watched> {
    const { host: name, anew, silent, timeMillis, subjects, gone, steps, changes } = response;
    let host = this.#hosts.get(name);
    if (host === undefined || anew) {
      host = { silent, timeMs: 0, subjects: new Map(), slots: [] };
      this.#hosts.set(name, host);
    }
    host.silent = silent;
    if (timeMillis > 0n) host.timeMs = Number(timeMillis);
    const changed = new Set<Watched>();
    for (const { number, name: subjectName, part, figures } of subjects) {
      if (host.slots.length + figures.length > this.#maxValues) throw new Error(`${name} tells of too many figures`);
      const subject: Watched = {
        host: name,
        name: subjectName,
        part,
        values: new Map(figures.map((each) => [each, 0])),
      };
      host.subjects.set(number, subject);
      changed.add(subject);
      for (const figure of figures) host.slots.push({ subject, figure });
    }
    for (const number of gone) {
      const subject = host.subjects.get(number);
      if (subject !== undefined) changed.add(subject);
      host.subjects.delete(number);
    }
    let at = -1;
    for (const [index, step] of steps.entries()) {
      at += step;
      const slot = host.slots[at];
      if (slot === undefined) throw new Error(`${name} tells of a figure that it has not named`);
      const { values } = slot.subject;
      values.set(slot.figure, (values.get(slot.figure) ?? 0) + Number(changes[index] ?? 0n));
      changed.add(slot.subject);
    }
    return changed;
  }

  /** What is measured on a host ("hosts/{host}") now. */
  ofHost(host: string): Iterable<Watched> {
    return this.#hosts.get(host)?.subjects.values() ?? [];
  }

  /** Forgets all that was told of a host ("hosts/{host}"). */
  forget(host: string): void {
    this.#hosts.delete(host);
  }

  /** Everything that is measured now. */
  *all(): Iterable<Watched> {
    for (const { subjects } of this.#hosts.values()) yield* subjects.values();
  }

  /** Hosts, by name, with why nothing comes from them and when they were measured last. */
  get hosts(): ReadonlyMap<string, Pick<WatchedHost, "silent" | "timeMs">> {
    return this.#hosts;
  }
}
