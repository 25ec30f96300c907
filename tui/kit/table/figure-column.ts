import { figureWordOf } from "../../../lib/query/short-names.js";
import type { Figure } from "../../../proto/gen/zor/v1/figures.js";
import { figureText } from "../chart/figure-text.js";
import { formatAge } from "../format.js";
import type { Row } from "../row.js";
import type { Column } from "./column.js";
import { unknownKey } from "./sort-key.js";

/** How the column of a figure looks where it is not told by its name alone. */
export interface FigureLook<R> extends Partial<Pick<Column<R>, "title" | "importance" | "min" | "max" | "sortLetter">> {
  /** Default: the amount with its unit. */
  readonly text?: (value: number, row: R) => string;
}

/**
 * The column of what is measured, by the word that queries have for it ("cpu", "mem.used", "net.in"): what is old says how old, and what is not
 * measured comes last in either direction. Undefined: nothing of that name is measured of the kind. @param kind singular.
 */
export function figureColumn<R extends Row = Row>(
  kind: string,
  id: string,
  { text, ...look }: FigureLook<R> = {},
): Column<R> | undefined {
  const figure = figureWordOf(kind, id)?.figure;
  if (figure === undefined) return undefined;
  const title = id.replaceAll(".", " ").replaceAll("-", " ").toUpperCase();
  const textOf = text ?? ((value: number) => figureText(figure, value));
  return {
    ...{ id, title, importance: 5, min: Math.max(6, 1 + (look.title ?? title).length), max: 18, ...look },
    align: "right",
    descending: true,
    figure,
    cell: (row, { fleet, nowMs }) => {
      const used = fleet.usage.of(row.name, figure);
      if (used === undefined) return { text: "-", tone: "dim" };
      const amount = textOf(used.value, row);
      const { oldSinceMs } = used;
      return oldSinceMs === undefined
        ? { text: amount }
        : { text: `${amount} ${formatAge(nowMs - oldSinceMs)}`, tone: "dim" };
    },
    sortKey: (row, { fleet }) => fleet.usage.rankOf(row.name, figure) ?? unknownKey,
  };
}

/** Figures of columns, each once. */
export function figuresOf(columns: readonly Pick<Column, "figure">[]): readonly Figure[] {
  return [...new Set(columns.flatMap(({ figure }) => figure ?? []))];
}
