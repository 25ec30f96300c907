import { Figure } from "../../../proto/gen/zor/v1/figures.js";
import { amountOf, type Busy, type Consumer, trafficFigures } from "../../kit/busy/busy.js";

/** What the most is used of. */
export const rankings = [
  { word: "processors", figures: [Figure.FIGURE_CPU] },
  { word: "memory", figures: [Figure.FIGURE_MEMORY] },
  { word: "disks", figures: [Figure.FIGURE_DISK_READ, Figure.FIGURE_DISK_WRITE] },
  { word: "traffic", figures: trafficFigures },
] as const;
/** One of them. */
export type Ranking = (typeof rankings)[number];

/** Values that are remembered of each, one for each time that it is told. */
const courseLength = 60;

/** What the hosts use together. */
export interface Totals {
  readonly cpu: readonly number[];
  readonly traffic: readonly number[];
}

/** Who uses the most, and how that went on since it is looked at. */
export class Consumers {
  #first: readonly Consumer[] = [];
  #courses = new Map<string, number[]>();
  readonly #cpu: number[] = [];
  readonly #traffic: number[] = [];

  get totals(): Totals {
    return { cpu: this.#cpu, traffic: this.#traffic };
  }

  /** Takes in what is used now of what the ranking is by. */
  take({ figures }: Ranking, { first, cpu, traffic }: Busy): void {
    if (cpu !== undefined) remember(this.#cpu, cpu);
    if (traffic !== undefined) remember(this.#traffic, traffic);
    const courses = new Map<string, number[]>();
    for (const { name, values } of first) {
      const course = this.#courses.get(name) ?? [];
      remember(course, amountOf(values, figures));
      courses.set(name, course);
    }
    this.#first = first;
    this.#courses = courses;
  }

  /** Another ranking is looked at. */
  forget(): void {
    this.#first = [];
    this.#courses.clear();
  }

  /** Those that use the most, the most first. */
  get first(): readonly Consumer[] {
    return this.#first;
  }

  /** What one of the first used, the oldest first. */
  courseOf(name: string): readonly number[] {
    return this.#courses.get(name) ?? [];
  }
}

function remember(course: number[], value: number): void {
  course.push(value);
  if (course.length > courseLength) course.shift();
}
