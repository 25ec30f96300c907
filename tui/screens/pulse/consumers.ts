import type { Watched } from "../../../lib/figures/decoder.js";
import { measuredKindOf } from "../../../lib/figures/subject-kind.js";
import { Figure } from "../../../proto/gen/zor/v1/figures.js";

/** What the most is used of. */
export const rankings = [
  { word: "processors", figures: [Figure.FIGURE_CPU] },
  { word: "memory", figures: [Figure.FIGURE_MEMORY] },
  { word: "disks", figures: [Figure.FIGURE_DISK_READ, Figure.FIGURE_DISK_WRITE] },
  { word: "traffic", figures: [Figure.FIGURE_NET_IN, Figure.FIGURE_NET_OUT] },
] as const;
/** One of them. */
export type Ranking = (typeof rankings)[number];

/** Values that are remembered of each, one a second. */
const courseLength = 60;
/** Instances that are remembered: the first of each ranking. */
const mostFirst = 20;

/** An instance that uses something. */
export interface Consumer {
  readonly name: string;
  readonly values: ReadonlyMap<Figure, number>;
}

/** What the hosts use together. */
export interface Totals {
  readonly cpu: readonly number[];
  readonly traffic: readonly number[];
}

/** Who uses the most, and how that went on since it is looked at. */
export class Consumers {
  #firsts = new Map<string, readonly Consumer[]>();
  #courses = new Map<string, number[]>();
  readonly #cpu: number[] = [];
  readonly #traffic: number[] = [];

  get totals(): Totals {
    return { cpu: this.#cpu, traffic: this.#traffic };
  }

  /** Takes in what is used now. */
  take(all: Iterable<Watched>): void {
    const instances: Consumer[] = [];
    let [cpu, traffic] = [0, 0];
    for (const { name, part, values } of all) {
      if (part !== "") continue;
      const kind = measuredKindOf(name);
      if (kind === "instance") instances.push({ name, values });
      if (kind === "host") cpu += values.get(Figure.FIGURE_CPU) ?? 0;
      if (kind === "instance") traffic += amountOf(values, rankings[3]);
    }
    remember(this.#cpu, cpu);
    remember(this.#traffic, traffic);
    const courses = new Map<string, number[]>();
    for (const ranking of rankings) {
      const first = firstOf(instances, ranking);
      this.#firsts.set(ranking.word, first);
      for (const { name, values } of first) {
        const key = `${ranking.word} ${name}`;
        const course = this.#courses.get(key) ?? [];
        remember(course, amountOf(values, ranking));
        courses.set(key, course);
      }
    }
    this.#courses = courses;
  }

  /** Those that use the most, the most first. */
  first({ word }: Ranking): readonly Consumer[] {
    return this.#firsts.get(word) ?? [];
  }

  /** What one of the first used, each second, the oldest first. */
  courseOf({ word }: Ranking, name: string): readonly number[] {
    return this.#courses.get(`${word} ${name}`) ?? [];
  }
}

/** What is used of it. */
function amountOf(values: ReadonlyMap<Figure, number>, { figures }: Pick<Ranking, "figures">): number {
  let sum = 0;
  for (const figure of figures) sum += values.get(figure) ?? 0;
  return sum;
}

/** The first of all, without putting all in order. */
function firstOf(all: readonly Consumer[], ranking: Ranking): readonly Consumer[] {
  const first: { readonly consumer: Consumer; readonly amount: number }[] = [];
  for (const consumer of all) {
    const amount = amountOf(consumer.values, ranking);
    const last = first.at(-1);
    if (amount <= 0 || (first.length >= mostFirst && last !== undefined && last.amount >= amount)) continue;
    const at = first.findIndex((other) => other.amount < amount);
    first.splice(at < 0 ? first.length : at, 0, { consumer, amount });
    if (first.length > mostFirst) first.pop();
  }
  // What is told goes on in the same maps.
  return first.map(({ consumer: { name, values } }) => ({ name, values: new Map(values) }));
}

function remember(course: number[], value: number): void {
  course.push(value);
  if (course.length > courseLength) course.shift();
}
