import type { Controller } from "../app/controller.js";
import type { Model } from "../kit/model.js";
import type { Row } from "../kit/row.js";
import type { TableState } from "../kit/table/table-state.js";
import { TableScreen } from "../screens/table/table-screen.js";

/** Filters the screen as its key does; returns why it cannot be, undefined when it is. What is no filter changes nothing. */
export function filterBy(controller: Controller, model: Model, text: string): string | undefined {
  const command = controller.commands.find(({ id, keys }) => id === "filter" || keys.includes("/"));
  if (command === undefined) return "there is nothing to filter here";
  command.run({ chord: "/", argument: "" });
  const { prompt, screen } = model;
  if (prompt?.type !== "filter") return undefined;
  model.prompt = { ...prompt, text };
  prompt.apply(text);
  const fault = screen instanceof TableScreen ? screen.table.filterFault : undefined;
  if (fault === undefined) controller.press("enter");
  else {
    model.prompt = undefined;
    prompt.apply(prompt.before);
  }
  return fault === undefined ? undefined : `the filter is not understood, at character ${fault}`;
}

/** What is marked, or not any more. */
interface Marking {
  /** "all", or rows as {@link find} reads them; empty: all marks. */
  readonly text: string;
  readonly isMarked: boolean;
  readonly nowMs: number;
  find(text: string): readonly Row[];
}

/** Marks rows of a table, or takes marks away. */
export function markRows(table: TableState, { text, isMarked, nowMs, find }: Marking): void {
  if (!isMarked && text === "") {
    table.clearMarks();
    return;
  }
  const all = table.rows(nowMs);
  const rows = text === "all" ? all.slice(0, all.length) : find(text);
  for (const { name } of rows) {
    if (table.marked.has(name) === isMarked) continue;
    table.select(name);
    table.toggleMark(nowMs);
  }
}
