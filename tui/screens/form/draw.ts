import type { BodyLine } from "../../kit/screen.js";
import type { Tone } from "../../kit/states.js";
import { plainText } from "../../kit/text/plain-text.js";
import { cutLine, type Line, type Segment } from "../../kit/text/segment.js";
import { fitText, textWidth } from "../../kit/text/text-width.js";
import { wrapText } from "../../kit/text/wrap-text.js";
import type { FormCursor } from "./cursor.js";
import type { FormNode } from "./nodes.js";
import type { Form } from "./form.js";
import { type FormRow, sameRow, summaryOf } from "./rows.js";
import { choicesOf } from "./values.js";

/** From this width on what is known of a field stands beside the form. */
const wide = 120;
const helpWidth = 44;
const mostHelpLines = 4;

/** What a form looks like. */
export interface FormView {
  readonly rows: readonly FormRow[];
  readonly cursor: FormCursor;
  /** The first row on the screen. */
  readonly top: number;
  /** The same as a command, in one line. */
  readonly command: string;
  readonly candidates: readonly string[];
}

/** Lines that stay for rows on a screen of that size. */
export function roomForRows(width: number, height: number): number {
  return Math.max(1, height - (width >= wide ? 1 : mostHelpLines + 1));
}

/** The form with what is known of the field under the cursor: below it, or beside it where there is room. */
export function drawForm(view: FormView, width: number, height: number): readonly BodyLine[] {
  const { rows, cursor, top, command } = view;
  const here = cursor.row(rows);
  const isWide = width >= wide;
  const room = roomForRows(width, height);
  const across = isWide ? width - helpWidth - 3 : width;
  const labels = labelWidth(rows, across);
  const lines: BodyLine[] = rows.slice(top, top + room).map((row) => ({
    line: rowLine(row, { isHere: sameRow(row, here), cursor, labels, width: across }),
  }));
  while (lines.length < room) lines.push({ line: [] });
  const said: Line = [
    { text: " $ ", tone: "dim" },
    { text: plainText(command), tone: "dim" },
  ];
  if (!isWide) {
    const help = helpLines(here, view, width - 2).slice(0, mostHelpLines);
    const padded = [...help, ...Array.from({ length: mostHelpLines - help.length }, (): Line => [])];
    return [...lines, ...padded.map((line): BodyLine => ({ line: [{ text: " " }, ...line] })), { line: said }];
  }
  const help = helpLines(here, view, helpWidth);
  return [
    ...lines.map(({ line }, index) => ({
      line: [...filled(line, across), { text: " │ ", tone: "dim" as const }, ...(help[index] ?? [])],
    })),
    { line: said },
  ];
}

function filled(line: Line, width: number): Line {
  const cut = cutLine(line, width);
  const used = cut.reduce((sum, { text }) => sum + textWidth(text), 0);
  return [...cut, { text: " ".repeat(Math.max(0, width - used)) }];
}

function labelWidth(rows: readonly FormRow[], width: number): number {
  const widest = Math.max(...rows.map(({ label, depth }) => textWidth(label) + depth * 2), 10);
  return Math.min(widest, Math.floor(width * 0.45)) + 2;
}

interface RowLook {
  readonly isHere: boolean;
  readonly cursor: FormCursor;
  readonly labels: number;
  readonly width: number;
}

function rowLine(row: FormRow, { isHere, cursor, labels, width }: RowLook): Line {
  const { node, role, depth, label } = row;
  const wrong = role === "field" && node !== undefined && faultOf(node) !== undefined;
  const isTitle = role !== "field" || node?.type === "group" || node?.type === "list";
  const start: Segment[] = [
    { text: isHere ? "❯" : " ", tone: "accent" },
    { text: wrong ? "✗" : " ", tone: "bad" },
    { text: " ".repeat(depth * 2) },
  ];
  const text = fitText(plainText(label), Math.max(1, labels - depth * 2));
  const tone: Tone = isHere ? "accent" : role !== "field" ? "busy" : isTitle ? "strong" : "plain";
  const value = role === "field" && node !== undefined ? shownValue(node, isHere, cursor, width - labels - 2) : [];
  return cutLine([...start, { text, tone }, ...value], width);
}

function shownValue(node: FormNode, isHere: boolean, cursor: FormCursor, room: number): Line {
  const typing = isHere ? cursor.typing() : undefined;
  if (typing !== undefined) return typedLine(typing.node.text, typing.at, room, node.schema.usual);
  const text = plainText(summaryOf(node));
  const isChoice = node.type === "choice" || (node.type === "value" && choicesOf(node.schema).length > 0);
  const shown: Segment =
    text === ""
      ? {
          text: plainText(node.schema.usual) || (node.type === "group" || node.type === "list" ? "none" : "-"),
          tone: "dim",
        }
      : { text, ...(node.type === "group" || node.type === "list" ? { tone: "dim" as const } : {}) };
  if (isChoice && isHere)
    return [
      { text: "‹ ", tone: "accent" },
      { ...shown, inverse: true },
      { text: " ›", tone: "accent" },
    ];
  return [shown];
}

/** A text with the place where typing goes on; of one that is too long the part around it. */
function typedLine(text: string, at: number, room: number, usual: string): Line {
  if (text === "")
    return [
      { text: " ", inverse: true },
      { text: ` ${plainText(usual)}`, tone: "dim" },
    ];
  const characters = [...text].map((character) => plainText(character));
  let from = 0;
  while (from < at && textWidth(characters.slice(from, at + 1).join("")) > room - 2) from += 1;
  return [
    ...(from > 0 ? [{ text: "…", tone: "dim" as const }] : []),
    { text: characters.slice(from, at).join("") },
    { text: characters[at] ?? " ", inverse: true },
    { text: characters.slice(at + 1).join("") },
  ];
}

function helpLines(row: FormRow | undefined, { candidates, cursor }: FormView, width: number): readonly Line[] {
  const node = row?.node;
  const lines: Line[] = cursor.form.complaints.flatMap((text) => wrapped(`✗ ${plainText(text)}`, width, "bad"));
  if (node === undefined || faultOf(node) === undefined) lines.push(...elsewhere(cursor.form, node, width));
  if (node === undefined || row?.role === "more") return lines;
  const fault = faultOf(node);
  if (fault !== undefined) lines.push(...wrapped(`✗ ${plainText(fault)}`, width, "bad"));
  if (candidates.length > 0) {
    const offered = candidates.slice(0, 12).map(plainText).join("  ");
    lines.push(
      cutLine(
        [
          { text: "tab ", tone: "accent" },
          { text: offered, tone: "busy" },
        ],
        width,
      ),
    );
  }
  const word =
    node.type === "value" && node.schema.shape.type === "enum" ? enumHelp(node.schema.shape.values, node.text) : "";
  const help = [word, node.schema.help].filter((text) => text !== "").join(" ");
  return [...lines, ...wrapped(plainText(help), width, "dim")];
}

/** What the server says of another field: it may be out of sight. */
function elsewhere(form: Form, here: FormNode | undefined, width: number): readonly Line[] {
  for (const node of form.values()) {
    if (node === here || node.refusal === undefined) continue;
    return wrapped(`✗ ${plainText(`${node.schema.label}: ${node.refusal}`)}`, width, "bad");
  }
  return [];
}

function enumHelp(values: readonly { readonly word: string; readonly help: string }[], word: string): string {
  const help = values.find((each) => each.word === word)?.help ?? "";
  return help === "" || word === "" ? help : `${word}: ${help}`;
}

function wrapped(text: string, width: number, tone: Tone): readonly Line[] {
  return text === "" ? [] : wrapText(text, width).map((line): Line => [{ text: line, tone }]);
}

/** What is wrong with a field: what the server says, else what can be told here. */
function faultOf(node: FormNode): string | undefined {
  if (node.refusal !== undefined) return node.refusal;
  return node.type === "value" ? node.fault : undefined;
}
