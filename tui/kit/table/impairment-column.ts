import type { Impairment } from "../../../proto/gen/zor/v1/impairment.js";
import { impairmentText } from "../impairment-text.js";
import type { Column } from "./column.js";

/** What happens to frames of one direction now. */
export function impairmentColumn<R>(
  column: { readonly id: string; readonly title: string; readonly importance: number },
  impairmentOf: (row: R) => Impairment | undefined,
): Column<R> {
  const textOf = (row: R): string => impairmentText(impairmentOf(row));
  return {
    ...column,
    min: 10,
    max: 40,
    cell: (row) => {
      const text = textOf(row);
      return { text, tone: text === "DOWN" ? "bad" : text === "-" ? "dim" : "plain" };
    },
    searched: textOf,
  };
}
