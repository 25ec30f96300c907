import type { Watched } from "../../../lib/figures/decoder.js";
import { measuredKindOf } from "../../../lib/figures/subject-kind.js";
import { Figure } from "../../../proto/gen/zor/v1/figures.js";

/** Instances that are told of, at most. */
export const mostBusy = 20;

/** An instance that uses something. */
export interface Consumer {
  readonly name: string;
  readonly values: ReadonlyMap<Figure, number>;
}

/** Who uses the most of something, and what all use together. */
export interface Busy {
  /** The most first. */
  readonly first: readonly Consumer[];
  /** Thousandths of CPUs that all hosts keep busy; undefined: not told yet, or by a hub of an earlier version. */
  readonly cpu: number | undefined;
  /** Bytes a second that come into and go out of all instances; undefined as {@link cpu}. */
  readonly traffic: number | undefined;
  /** What is wrong, for people; "": nothing is. */
  readonly trouble: string;
}

/** Figures of traffic. */
export const trafficFigures: readonly Figure[] = [Figure.FIGURE_NET_IN, Figure.FIGURE_NET_OUT];

/** What is used of these figures together. */
export function amountOf(values: ReadonlyMap<Figure, number>, figures: readonly Figure[]): number {
  let sum = 0;
  for (const figure of figures) sum += values.get(figure) ?? 0;
  return sum;
}

/** The first of all, without putting all in order. */
export function firstOf(all: Iterable<Consumer>, figures: readonly Figure[]): readonly Consumer[] {
  const first: { readonly consumer: Consumer; readonly amount: number }[] = [];
  for (const consumer of all) {
    const amount = amountOf(consumer.values, figures);
    const last = first.at(-1);
    if (amount <= 0 || (first.length >= mostBusy && last !== undefined && last.amount >= amount)) continue;
    const at = first.findIndex((each) => each.amount < amount);
    first.splice(at < 0 ? first.length : at, 0, { consumer, amount });
    if (first.length > mostBusy) first.pop();
  }
  // What is told goes on in the same maps.
  return first.map(({ consumer: { name, values } }) => ({ name, values: new Map(values) }));
}

/** The same of everything that is measured, for whoever has all of that. */
export function busyOf(all: Iterable<Watched>, figures: readonly Figure[], trouble: string): Busy {
  const instances: Consumer[] = [];
  let [cpu, traffic] = [0, 0];
  for (const { name, part, values } of all) {
    if (part !== "") continue;
    const kind = measuredKindOf(name);
    if (kind === "instance") instances.push({ name, values });
    if (kind === "host") cpu += values.get(Figure.FIGURE_CPU) ?? 0;
    if (kind === "instance") traffic += amountOf(values, trafficFigures);
  }
  return { first: firstOf(instances, figures), cpu, traffic, trouble };
}

/** Of several hubs in one. */
export function mergedBusy(parts: readonly Busy[], figures: readonly Figure[]): Busy {
  const sum = (of: (part: Busy) => number | undefined): number | undefined => {
    const known = parts.flatMap((part) => of(part) ?? []);
    return known.length < parts.length ? undefined : known.reduce((all, each) => all + each, 0);
  };
  return {
    first: firstOf(
      parts.flatMap(({ first }) => first),
      figures,
    ),
    cpu: sum(({ cpu }) => cpu),
    traffic: sum(({ traffic }) => traffic),
    trouble: parts.flatMap(({ trouble }) => (trouble === "" ? [] : [trouble])).join("; "),
  };
}
