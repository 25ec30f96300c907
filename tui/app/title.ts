import type { Model } from "../kit/model.js";
import type { Body } from "../kit/screen.js";
import { plainText } from "../kit/text/plain-text.js";
import { type Line, type Segment, spreadLine } from "../kit/text/segment.js";

/** The rule above the body: where we are, and what is shown of it. */
export function titleLine({ screen, screens, prompt }: Model, width: number, { extent, facts = [] }: Body): Line {
  const left: Segment[] = [{ text: "── ", tone: "dim" }];
  for (const below of screens.slice(0, -1)) left.push({ text: `${plainText(below.title())} → `, tone: "dim" });
  left.push({ text: plainText(screen.title()), tone: "accent" });
  if (prompt?.type === "confirm") left.push({ text: ` → ${prompt.impact.action.verb}?`, tone: "bad" });
  else left.push(...facts);
  left.push({ text: " ", tone: "dim" });
  return spreadLine(left, rightOf(extent), width, "─");
}

function rightOf({ top, shown, length }: Body["extent"]): readonly Segment[] {
  return length <= shown ? [] : [{ text: ` ${top + 1}-${top + shown} of ${length} ──`, tone: "dim" }];
}
