import { figureField } from "../../../lib/query/short-names.js";
import { measuredKindOf, type measuredKinds } from "../../../lib/figures/subject-kind.js";
import type { Watched } from "../../../lib/figures/decoder.js";
import type { Figure } from "../../../proto/gen/zor/v1/figures.js";
import type { Consumer } from "../busy/busy.js";
import { shortName } from "../resource-name.js";

/** Kind of something that is measured. */
export type MeasuredKind = (typeof measuredKinds)[number];

/** More rows of an order are not told. */
export const mostRanked = 1000;

/** What something is sorted by; what is not measured comes last in either direction. */
export interface RankKey {
  /** Undefined: its name. */
  readonly figure: Figure | undefined;
  readonly descending: boolean;
}

/** A window over what is measured, in an order. */
export interface RankLook {
  readonly kind: MeasuredKind;
  /** Only what is below this name, "hosts/alpha"; "": all. */
  readonly parent: string;
  /** Only what may be what this asks for, in the language of queries; whoever cannot answer it tells of more. "": all. */
  readonly query: string;
  /** Only what has this in its name as people see it; "": all. */
  readonly text: string;
  /** At least one. */
  readonly order: readonly RankKey[];
  /** What is told of each. */
  readonly figures: readonly Figure[];
  /** Name of what the window follows wherever it goes; "": it has a fixed place. */
  readonly anchor: string;
  /** Place of the first row, from 0, with an anchor after it, or before it when it is negative; and how many rows. */
  readonly from: number;
  readonly count: number;
}

/** The rows of such a window. */
export interface Ranked {
  readonly rows: readonly Consumer[];
  /** Place of the first of them. */
  readonly from: number;
  /** How many there are in that order, those that are not measured too. */
  readonly total: number;
  /** What is wrong, for people; "": nothing is. */
  readonly trouble: string;
}

/** A query for what has a text in its name, as {@link RankLook.text} means it. */
export function queryOfText(text: string): string {
  const quoted = (part: string): string => JSON.stringify(part);
  const slash = text.indexOf("/");
  if (slash < 0) return `(id : ${quoted(text)} or host : ${quoted(text)})`;
  const host = quoted(`${literal(text.slice(0, slash))}$`);
  const id = quoted(`^${literal(text.slice(slash + 1))}`);
  return `(host ~ ${host} and id ~ ${id})`;
}

/** A text as a pattern that is found where it is. */
export function literal(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
}

/** The order as a List and a view take it. */
export function orderBy(kind: MeasuredKind, order: readonly RankKey[]): string {
  return order
    .map(({ figure, descending }) => {
      const word = figure === undefined ? "name" : (figureField(kind, figure)?.word ?? "name");
      return descending ? `${word} desc` : word;
    })
    .join(", ");
}

/** The window over everything, for whoever has all of it. The query is not asked. */
export function rankedOf(all: Iterable<Watched>, look: RankLook, trouble: string): Ranked {
  const below = look.parent === "" ? "" : `${look.parent}/`;
  const wanted = look.text.toLowerCase();
  const rows = new Map<string, Consumer>();
  for (const { name, part, values } of all) {
    if (measuredKindOf(name) !== look.kind || !(name.startsWith(below) || name === look.parent)) continue;
    if (wanted !== "" && !shortName(name).toLowerCase().includes(wanted)) continue;
    if (part === "") rows.set(name, { name, values: new Map(values) });
    else rows.set(name, mostOf(rows.get(name), name, values));
  }
  return windowOf([...rows.values()], rows.size, look, trouble);
}

/** Of ends of links and wires the most. */
function mostOf(before: Consumer | undefined, name: string, values: ReadonlyMap<Figure, number>): Consumer {
  const most = new Map(before?.values);
  for (const [figure, value] of values) most.set(figure, Math.max(value, most.get(figure) ?? value));
  return { name, values: most };
}

/** Of several hubs in one. @param parts each from the first one on. */
export function mergedRanks(parts: readonly Ranked[], look: RankLook): Ranked {
  const rows = parts.flatMap((part) => part.rows);
  const isAll = parts.every((part) => part.rows.length >= part.total);
  // Of more than the first ones of each nobody knows where they are among all.
  const total = isAll ? rows.length : Math.min(rows.length, mostRanked);
  const trouble = parts.flatMap((part) => (part.trouble === "" ? [] : [part.trouble])).join("; ");
  return windowOf(rows, total, look, trouble);
}

/** The same rows in another order, where all of them are there; else as they are. */
export function ranksInOrder(ranked: Ranked, look: RankLook): Ranked {
  const { rows, total, trouble } = ranked;
  return rows.length < total ? ranked : windowOf([...rows], total, { ...look, anchor: "", from: 0 }, trouble);
}

function windowOf(rows: Consumer[], total: number, { order, anchor, from, count }: RankLook, trouble: string): Ranked {
  rows.sort((left, right) => compareConsumers(order, left, right));
  const at = anchor === "" ? 0 : rows.findIndex(({ name }) => name === anchor);
  const first = Math.max(0, Math.min(Math.max(0, at) + from, rows.length - count));
  return { rows: rows.slice(first, first + count), from: first, total, trouble };
}

function compareConsumers(order: readonly RankKey[], left: Consumer, right: Consumer): number {
  for (const { figure, descending } of order) {
    const found =
      figure === undefined ? compare(left.name, right.name) : compareAmounts(figure, left, right, descending);
    if (found !== 0) return figure === undefined && descending ? -found : found;
  }
  return compare(left.name, right.name);
}

function compareAmounts(figure: Figure, left: Consumer, right: Consumer, descending: boolean): number {
  const [one, other] = [left.values.get(figure), right.values.get(figure)];
  if (one === undefined || other === undefined) return one === other ? 0 : one === undefined ? 1 : -1;
  return descending ? other - one : one - other;
}

function compare(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}
