import { shortName } from "../kit/resource-name.js";
import type { Model, Screen } from "../kit/model.js";
import { plainText } from "../kit/text/plain-text.js";
import { type Line, type Segment, spreadLine } from "../kit/text/segment.js";

/** How much of the body there is, and which part of it is on the screen. */
export interface Extent {
  readonly top: number;
  readonly shown: number;
  readonly length: number;
  /** Rows before filtering; tables only. */
  readonly total?: number;
}

/** The rule above the body: where we are, and what is shown of it. */
export function titleLine(model: Model, width: number, extent: Extent): Line {
  const { screen, screens, prompt } = model;
  const left: Segment[] = [{ text: "── ", tone: "dim" }];
  screens.slice(0, -1).forEach((below) => {
    left.push({ text: `${plainText(nameOf(below))} → `, tone: "dim" });
  });
  left.push({ text: plainText(nameOf(screen)), tone: "accent" });
  if (prompt?.type === "confirm") left.push({ text: ` → ${prompt.impact.verb}?`, tone: "bad" });
  else if (screen.type === "table") {
    const { filterText, marked } = screen.table;
    const total = extent.total ?? 0;
    const count = filterText === "" ? `${total}` : `${extent.length} of ${total}`;
    left.push({ text: ` ${count}`, tone: "strong" });
    if (filterText !== "") left.push({ text: ` /${plainText(filterText)}`, tone: "warn" });
    if (marked.size > 0) left.push({ text: ` ${marked.size} marked`, tone: "warn" });
  }
  left.push({ text: " ", tone: "dim" });
  return spreadLine(left, rightOf(extent), width, "─");
}

function rightOf({ top, shown, length }: Extent): readonly Segment[] {
  return length <= shown ? [] : [{ text: ` ${top + 1}-${top + shown} of ${length} ──`, tone: "dim" }];
}

function nameOf(screen: Screen): string {
  switch (screen.type) {
    case "help":
      return "help";
    case "diagnosis":
      return `diagnosis ${shortName(screen.diagnosis.link)}`;
    case "detail":
      return `${screen.kind.slice(0, -1)} ${shortName(screen.name)}${screen.yaml ? " yaml" : ""}`;
    case "table": {
      const { scope, kind } = screen.table;
      return scope === undefined ? kind : `${kind}(${scope.title})`;
    }
  }
}
