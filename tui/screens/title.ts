import type { Model, Screen } from "../store/model.js";
import { shortName } from "../client/short-name.js";
import { plainText } from "../store/plain-text.js";
import { type Line, type Segment, spreadLine } from "../store/segment.js";
import type { TableWindow } from "../store/table-state.js";

/** The rule above the body: where we are, what is shown of it and in which order. */
export function titleLine(model: Model, width: number, window: TableWindow | undefined): Line {
  const { screen, screens } = model;
  const left: Segment[] = [{ text: "── ", tone: "dim" }];
  screens.slice(0, -1).forEach((below) => {
    left.push({ text: `${plainText(nameOf(below))} → `, tone: "dim" });
  });
  left.push({ text: plainText(nameOf(screen)), tone: "accent" });
  if (screen.type === "table" && window !== undefined) {
    const { filterText, marked } = screen.table;
    const count = filterText === "" ? `${window.total}` : `${window.matched} of ${window.total}`;
    left.push({ text: ` ${count}`, tone: "strong" });
    if (filterText !== "") left.push({ text: ` /${plainText(filterText)}`, tone: "warn" });
    if (marked.size > 0) left.push({ text: ` ${marked.size} marked`, tone: "warn" });
  }
  left.push({ text: " ", tone: "dim" });
  return spreadLine(left, rightOf(window), width, "─");
}

function rightOf(window: TableWindow | undefined): readonly Segment[] {
  if (window === undefined || window.matched <= window.rows.length) return [];
  const last = window.top + window.rows.length;
  return [{ text: ` ${window.top + 1}-${last} ──`, tone: "dim" }];
}

function nameOf(screen: Screen): string {
  switch (screen.type) {
    case "help":
      return "help";
    case "detail":
      return `${screen.kind.slice(0, -1)} ${shortName(screen.name)}${screen.yaml ? " yaml" : ""}`;
    case "table": {
      const { scope, kind } = screen.table;
      return scope === undefined ? kind : `${kind}(${scope.title})`;
    }
  }
}
