import stringWidth from "string-width";

/** What is drawn alike, at a column of a line. */
interface Run {
  readonly column: number;
  readonly text: string;
  readonly style: Style;
}

interface Style {
  readonly bold: boolean;
  readonly dim: boolean;
  readonly inverse: boolean;
  /** Number of a terminal's colour, 0 to 15; undefined: its own. */
  readonly color: number | undefined;
}

const plain: Style = { bold: false, dim: false, inverse: false, color: undefined };
const colors = ["#1c1f26", "#e06c75", "#98c379", "#e5c07b", "#61afef", "#c678dd", "#56b6c2", "#d7dae0"];
const foreground = "#d7dae0";
const background = "#1c1f26";
/** A cell, and the margin around all of them, in the SVG's own unit. */
const cell = { width: 8.4, height: 18 };
const margin = 12;
/** From the top of a line to where letters stand. */
const baseline = 13.5;

/**
 * A frame of a terminal as SVG: text of fixed width with the colours of its escape sequences (SGR; others are an error), in whatever
 * monospaced font the reader has: each run is fitted to its cells.
 */
export function terminalSvg(frame: string, title: string): string {
  const lines = frame.split("\n").map(runsOf);
  const columns = Math.max(...lines.flat().map(({ column, text }) => column + stringWidth(text)));
  const width = round(columns * cell.width + 2 * margin);
  const height = round(lines.length * cell.height + 2 * margin);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img">`,
    `<title>${escapeXml(title)}</title>`,
    `<rect width="${width}" height="${height}" rx="8" fill="${background}"/>`,
    `<g font-family="ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace" font-size="14" fill="${foreground}" xml:space="preserve">`,
    ...lines.flatMap((runs, line) =>
      runs.map((run) => drawRun(run, margin + line * cell.height)).filter((text) => text),
    ),
    "</g>",
    "</svg>",
    "",
  ].join("\n");
}

function drawRun({ column, text, style }: Run, top: number): string {
  const at = (cells: number) => round(margin + cells * cell.width);
  const widthOf = (part: string) => round(stringWidth(part) * cell.width);
  const color = style.color === undefined ? foreground : (colors[style.color % 8] ?? foreground);
  const box = style.inverse
    ? `<rect x="${at(column)}" y="${round(top)}" width="${widthOf(text)}" height="${cell.height}" fill="${color}"/>`
    : "";
  // Not every reader of SVG keeps blanks at the ends of a text.
  const word = text.trim();
  if (word === "") return box;
  const x = at(column + text.length - text.trimStart().length);
  const attributes = [
    `x="${x}" y="${round(top + baseline)}" textLength="${widthOf(word)}" lengthAdjust="spacingAndGlyphs"`,
    ...(style.inverse ? [`fill="${background}"`] : style.color === undefined ? [] : [`fill="${color}"`]),
    ...(style.bold ? ['font-weight="bold"'] : []),
    ...(style.dim ? ['fill-opacity="0.6"'] : []),
  ];
  return `${box}<text ${attributes.join(" ")}>${escapeXml(word)}</text>`;
}

/** Cuts a line where its look changes. Blanks between words stay with what they stand in. */
function runsOf(line: string): Run[] {
  const runs: Run[] = [];
  let style = plain;
  let column = 0;
  for (const [part, codes] of parts(line)) {
    if (codes !== undefined) style = codes.reduce(applyCode, style);
    else {
      runs.push({ column, text: part, style });
      column += stringWidth(part);
    }
  }
  return runs;
}

/** Texts and the codes between them. */
function* parts(line: string): Generator<[text: string, codes: readonly number[] | undefined]> {
  for (const part of line.split(/(\x1b\[[0-9;]*m)/)) {
    const codes = /^\x1b\[([0-9;]*)m$/.exec(part)?.[1];
    if (codes !== undefined) yield ["", codes.split(";").map(Number)];
    else if (part.includes("\x1b")) throw new Error(`a sequence that is no colour: ${JSON.stringify(part)}`);
    else if (part !== "") yield [part, undefined];
  }
}

function applyCode(style: Style, code: number): Style {
  if (code === 0) return plain;
  if (code === 1) return { ...style, bold: true };
  if (code === 2) return { ...style, dim: true };
  if (code === 7) return { ...style, inverse: true };
  if (code === 22) return { ...style, bold: false, dim: false };
  if (code === 27) return { ...style, inverse: false };
  if (code === 39) return { ...style, color: undefined };
  if (code >= 30 && code <= 37) return { ...style, color: code - 30 };
  if (code >= 90 && code <= 97) return { ...style, color: code - 90 };
  throw new Error(`a code that is no colour of the sixteen: ${code}`);
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function escapeXml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
