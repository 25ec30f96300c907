import { z } from "zod";
import type { Measured } from "../../../lib/figures/encoder.js";
import { measuredKindOf } from "../../../lib/figures/subject-kind.js";
import { findFigure } from "../../../lib/figures/figure-table.js";
import { Figure } from "../../../proto/gen/zor/v1/figures.js";

/** What of history is in which columns. */
export interface ColumnGroup {
  readonly name: string;
  readonly part: string;
  readonly figures: readonly Figure[];
  /** Column of its first figure. */
  readonly first: number;
  /** Since when the columns are its own. */
  readonly sinceMs: number;
  /** When it was measured last. */
  lastMs: number;
}

const day = 24 * 3600 * 1000;
const fixed: ReadonlySet<Figure> = new Set([Figure.FIGURE_MEMORY_LIMIT]);
/** What is kept of instances. */
const ofInstances: ReadonlySet<Figure> = new Set([
  ...[Figure.FIGURE_CPU, Figure.FIGURE_MEMORY, Figure.FIGURE_MEMORY_GUEST, Figure.FIGURE_MEMORY_GUEST_AVAILABLE],
  ...[Figure.FIGURE_DISK_READ, Figure.FIGURE_DISK_WRITE],
  ...[Figure.FIGURE_NET_IN, Figure.FIGURE_NET_OUT, Figure.FIGURE_NET_DROPS],
  ...[Figure.FIGURE_PRESSURE_CPU, Figure.FIGURE_PRESSURE_MEMORY, Figure.FIGURE_PRESSURE_IO],
]);
/** What is kept of ports, of which there are many. */
const ofPorts: ReadonlySet<Figure> = new Set([Figure.FIGURE_NET_IN, Figure.FIGURE_NET_OUT, Figure.FIGURE_NET_DROPS]);

const listSchema = z.array(
  z.strictObject({
    name: z.string(),
    part: z.string(),
    figures: z.array(z.number().int()),
    first: z.number().int().min(0),
    sinceMs: z.number(),
    lastMs: z.number(),
  }),
);

/** Which figures have which columns of the rows. */
export class Columns {
  readonly #groups = new Map<string, ColumnGroup>();
  readonly #capacity: number;
  #width = 0;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** Columns in use, from the first. */
  get width(): number {
    return this.#width;
  }

  /** Takes in what was written before; false: it is no such list. */
  load(text: string): boolean {
    let list: z.output<typeof listSchema>;
    try {
      list = listSchema.parse(JSON.parse(text));
    } catch {
      return false;
    }
    for (const group of list) this.#set(group);
    return true;
  }

  /** All of it as text. */
  toText(): string {
    return JSON.stringify([...this.#groups.values()]);
  }

  find(name: string, part: string): ColumnGroup | undefined {
    return this.#groups.get(keyOf(name, part));
  }

  /** All of a resource. */
  ofName(name: string): readonly ColumnGroup[] {
    return [...this.#groups.values()].filter((group) => group.name === name);
  }

  /** The columns of something, given to it where it has none; undefined: there is no room, or nothing of it is kept. */
  ensure(measured: Measured, nowMs: number): { readonly group: ColumnGroup; readonly isNew: boolean } | undefined {
    const figures = keptFigures(measured);
    const known = this.find(measured.name, measured.part);
    if (known !== undefined && known.figures.join() === figures.join()) return { group: known, isNew: false };
    if (known !== undefined) this.#groups.delete(keyOf(known.name, known.part));
    if (figures.length === 0) return undefined;
    const first = this.#findRoom(figures.length, nowMs);
    if (first === undefined) return undefined;
    const { name, part } = measured;
    const group = { name, part, figures, first, sinceMs: nowMs, lastMs: nowMs };
    this.#set(group);
    return { group, isNew: true };
  }

  #set(group: ColumnGroup): void {
    this.#groups.set(keyOf(group.name, group.part), group);
    this.#width = Math.max(this.#width, group.first + group.figures.length);
  }

  /** First columns that are free, or whose owner was not measured for a day. */
  #findRoom(count: number, nowMs: number): number | undefined {
    for (const [key, { lastMs }] of this.#groups) if (nowMs - lastMs > day) this.#groups.delete(key);
    let at = 0;
    for (const { first, figures } of [...this.#groups.values()].sort((a, b) => a.first - b.first)) {
      if (first - at >= count) return at;
      at = Math.max(at, first + figures.length);
    }
    return this.#capacity - at >= count ? at : undefined;
  }
}

/** Figures of something that are kept: what counts on and on says nothing that its rate does not say. */
function keptFigures({ name, part, figures }: Measured): readonly Figure[] {
  const kind = measuredKindOf(name);
  const few = kind === "instance" ? ofInstances : kind === "lan" && part !== "" ? ofPorts : undefined;
  return figures.filter(
    (figure) => findFigure(figure)?.isTotal === false && !fixed.has(figure) && (few === undefined || few.has(figure)),
  );
}

function keyOf(name: string, part: string): string {
  return `${name} ${part}`;
}
