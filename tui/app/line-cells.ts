import { CellLine, cellFlags, ownColour, trueColour } from "../kit/cells/cell-line.js";
import { terminalColours, type ToneStyle } from "../kit/skin.js";
import type { Tone } from "../kit/states.js";
import { toAscii, toConsole } from "../kit/text/ascii.js";
import { cutLine, type Line, type Segment } from "../kit/text/segment.js";
import { characterWidth, graphemesOf, standAlone } from "../kit/text/text-width.js";
import { type Look, styleOf } from "./theme.js";

/** A line of the screen as it is to be drawn. */
export interface ShownLine {
  readonly line: Line;
  /** Drawn inverted, in one tone. */
  readonly selected?: boolean | undefined;
  /** Drawn dim, in one tone but for the warnings. */
  readonly faded?: boolean | undefined;
}

/** How something is drawn, as lines of cells say it. */
interface CellStyle {
  readonly flags: number;
  readonly foreground: number;
  readonly background: number;
}

const plain: CellStyle = { flags: 0, foreground: ownColour, background: ownColour };

/** A line in cells. It never wraps: what does not fit is cut. */
export function lineCells({ line, selected = false, faded = false }: ShownLine, width: number, look: Look): CellLine {
  const cells = new CellLine(width);
  let at = 0;
  for (const segment of cutLine(line, width)) {
    const style = selected ? { ...plain, flags: cellFlags.inverse } : styleOfSegment(segment, faded, look);
    at = write(cells, at, { text: shown(segment.text, look), style });
  }
  return cells;
}

function shown(text: string, { unicode, console: isConsole = false }: Look): string {
  if (!unicode) return toAscii(text);
  return isConsole ? toConsole(text) : text;
}

/** Writes a text from a cell on; returns the cell behind it. */
function write(cells: CellLine, at: number, { text, style }: { text: string; style: CellStyle }): number {
  let cell = at;
  for (const glyph of glyphsOf(text)) {
    const width = typeof glyph === "string" ? characterWidth(glyph) : glyph.width;
    const drawn = typeof glyph === "string" ? glyph : glyph.text;
    if (width === 0) {
      // What has no place of its own stands with what is before it.
      if (cell > at) cells.glyphs[cell - 1] += drawn;
      continue;
    }
    if (cell + width > cells.width) return cell;
    cells.glyphs[cell] = drawn;
    for (let each = cell; each < cell + width; each += 1) {
      if (each > cell) cells.glyphs[each] = "";
      cells.flags[each] = style.flags;
      cells.foreground[each] = style.foreground;
      cells.background[each] = style.background;
    }
    cell += width;
  }
  return cell;
}

function glyphsOf(text: string): Iterable<string | { readonly text: string; readonly width: number }> {
  return standAlone(text) ? text : graphemesOf(text);
}

function styleOfSegment({ tone = "plain", inverse }: Segment, faded: boolean, look: Look): CellStyle {
  const style = cellStyle(!faded || tone === "warn" || tone === "accent" ? tone : "dim", look);
  return inverse === true ? { ...style, flags: style.flags | cellFlags.inverse } : style;
}

function cellStyle(tone: Tone, look: Look): CellStyle {
  const style: ToneStyle = styleOf(tone, look);
  return {
    flags:
      (style.bold === true ? cellFlags.bold : 0) |
      (style.dimColor === true ? cellFlags.dim : 0) |
      (style.underline === true ? cellFlags.underline : 0) |
      (style.inverse === true ? cellFlags.inverse : 0),
    foreground: colourOf(style.color),
    background: colourOf(style.backgroundColor),
  };
}

/** A colour by one of the sixteen names, or "#rrggbb". */
function colourOf(name: string | undefined): number {
  if (name === undefined) return ownColour;
  if (name.startsWith("#")) return trueColour(Number.parseInt(name.slice(1), 16));
  if (name === "gray") return 8;
  const isBright = name.endsWith("Bright");
  const index = terminalColours.indexOf(isBright ? name.slice(0, -"Bright".length) : name);
  return index < 0 ? ownColour : index + (isBright ? 8 : 0);
}
