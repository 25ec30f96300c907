import type { Cell } from "../table/column.js";
import type { Tone } from "../states.js";

/** A line of a description: a heading, a labelled value, the course of a figure, or text as it is. */
export type DescribeLine =
  | { readonly type: "heading"; readonly text: string }
  | { readonly type: "field"; readonly label: string; readonly text: string; readonly tone?: Tone }
  | {
      readonly type: "course";
      readonly label: string;
      /** The oldest first; NaN where nothing is known. */
      readonly values: readonly number[];
      /** Value of the highest bar. */
      readonly full: number;
      readonly text: string;
      readonly tone?: Tone;
    }
  | { readonly type: "text"; readonly text: string; readonly tone?: Tone };

/** A heading. */
export function heading(text: string): DescribeLine {
  return { type: "heading", text };
}

/** A labelled value; "-" when there is none. */
export function field(label: string, value: string | Cell | undefined): DescribeLine {
  const cell = typeof value === "string" || value === undefined ? { text: value ?? "" } : value;
  if (cell.text === "") return { type: "field", label, text: "-", tone: "dim" };
  return { type: "field", label, text: cell.text, ...(cell.tone === undefined ? {} : { tone: cell.tone }) };
}

/** Text as it is. */
export function text(line: string, tone?: Tone): DescribeLine {
  return { type: "text", text: line, ...(tone === undefined ? {} : { tone }) };
}

/** A line of a description in words, not yet safe for the terminal: of a course its value says enough. */
export function saidLine(line: DescribeLine): string {
  if (line.type === "heading") return `${line.text}.`;
  return line.type === "text" || line.label === "" ? line.text : `${line.label}: ${line.text}`;
}

/** A label with its value, for where there is room for no more. */
export interface DescribedField {
  readonly label: string;
  readonly text: string;
}
