import { plainText } from "../text/plain-text.js";
import type { Line, Segment } from "../text/segment.js";
import { fitText, textWidth } from "../text/text-width.js";
import { wrapText } from "../text/wrap-text.js";
import type { DescribeLine } from "./line.js";
import { sparkline } from "./sparkline.js";

/** Lines of one value, at most. */
const longestValue = 50;

/** A description as lines; values that are too long go on below themselves. */
export function describeLines(lines: readonly DescribeLine[], width: number): readonly Line[] {
  return describeEach(lines, width).flat();
}

/** The same, for each line of the description the lines that it takes. */
export function describeEach(lines: readonly DescribeLine[], width: number): readonly (readonly Line[])[] {
  const labels = lines.map((line) => ("label" in line ? textWidth(plainText(line.label)) : 0));
  const labelWidth = Math.min(32, Math.max(12, ...labels));
  return lines.map((line): readonly Line[] => {
    const text = plainText(line.text);
    if (line.type === "heading") return [[], [{ text: ` ${text}`, tone: "accent" }]];
    const tone = line.tone === undefined ? {} : { tone: line.tone };
    if (line.type === "text") return wrapText(text, width - 2).map((part) => [{ text: ` ${part}`, ...tone }]);
    const label: Segment = { text: ` ${fitText(plainText(line.label), labelWidth)}  `, tone: "dim" };
    if (line.type === "course") {
      const bars = sparkline(line.values, width - labelWidth - 6 - textWidth(text), line.full);
      return [[label, { text: bars, tone: "accent" }, { text: `  ${text}`, ...tone }]];
    }
    const blank: Segment = { text: " ".repeat(labelWidth + 3) };
    return wrapText(text, width - labelWidth - 4)
      .slice(0, longestValue)
      .map((part, index) => [index === 0 ? label : blank, { text: part, ...tone }]);
  });
}
