import type { CellContext } from "../fleet/fleet-view.js";
import type { Row } from "../row.js";
import type { Column } from "./column.js";

/** Whether something about a row asks for a look: a cell that warns, or that says that something is broken. */
export function isFaulty(row: Row, columns: readonly Column[], context: CellContext): boolean {
  return columns.some((column) => {
    const { tone } = column.cell(row, context);
    return tone === "bad" || tone === "warn";
  });
}
