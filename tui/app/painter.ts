import { CellLine } from "../kit/cells/cell-line.js";
import type { Model } from "../kit/model.js";
import type { BodyLine } from "../kit/screen.js";
import type { Line, Segment } from "../kit/text/segment.js";
import type { Settings } from "../settings/settings.js";
import type { Canvas, TerminalSize } from "./canvas.js";
import type { Controller } from "./controller.js";
import { lineCells } from "./line-cells.js";
import { screenLines } from "./screen-lines.js";
import { type Look, withSkin } from "./theme.js";

/** What changes by itself is drawn at most so often. */
const frameMs = 50;

/** What a painter works with. */
export interface PainterOptions {
  readonly model: Model;
  readonly controller: Controller;
  /** What the terminal can do. */
  readonly look: Look;
  /** What the user has set. Default: nothing. */
  readonly settings?: Settings | undefined;
  readonly canvas: Pick<Canvas, "want" | "refresh">;
  /** Of the terminal, now. */
  readonly size: () => TerminalSize;
}

interface Painted {
  readonly line: BodyLine;
  readonly cells: CellLine;
}

/**
 * Draws the model on a canvas whenever it has changed: what a person does at once, all else some times a second. Only lines that are not what
 * they were are made anew.
 */
export class Painter {
  readonly #options: PainterOptions;
  #look: Look;
  #seenSettings = -1;
  #seenContext = "";
  #painted: readonly Painted[] = [];
  #width = 0;
  #paintedMs = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;
  #soon: NodeJS.Immediate | undefined;
  #unsubscribe: () => void = () => undefined;

  constructor(options: PainterOptions) {
    this.#options = options;
    this.#look = options.look;
  }

  /** Draws from now on. */
  start(): void {
    this.#unsubscribe = this.#options.model.subscribe(() => this.#paintLater());
    this.paint();
  }

  /** A person waits for it: draws as soon as all that was typed has been taken. */
  paintSoon(): void {
    this.#soon ??= setImmediate(() => this.paint());
  }

  /** Draws now. */
  paint(): void {
    clearTimeout(this.#timer);
    clearImmediate(this.#soon);
    [this.#timer, this.#soon] = [undefined, undefined];
    const { model, controller, canvas, size } = this.#options;
    const now = size();
    this.#followSettings();
    const lines = screenLines(model, controller, now);
    this.#painted = Array.from({ length: now.rows }, (_, row) => this.#cellsOf(lines[row] ?? blank, row, now.columns));
    this.#width = now.columns;
    canvas.want(
      this.#painted.map(({ cells }) => cells),
      now,
    );
    canvas.refresh();
    this.#paintedMs = performance.now();
  }

  /** Draws nothing more. */
  stop(): void {
    this.#unsubscribe();
    clearTimeout(this.#timer);
    clearImmediate(this.#soon);
  }

  #paintLater(): void {
    const dueMs = Math.max(0, this.#paintedMs + frameMs - performance.now());
    this.#timer ??= setTimeout(() => this.paint(), dueMs);
  }

  #followSettings(): void {
    const { settings, look } = this.#options;
    const { context } = this.#options.model.session;
    if (settings === undefined) return;
    if (settings.version === this.#seenSettings && context === this.#seenContext) return;
    [this.#seenSettings, this.#seenContext] = [settings.version, context];
    this.#look = withSkin(look, settings.values, context);
    this.#painted = [];
  }

  #cellsOf(line: BodyLine, row: number, width: number): Painted {
    const before = this.#painted[row];
    if (before !== undefined && this.#width === width && isSame(before.line, line)) return before;
    return { line, cells: line.cells === undefined ? lineCells(line, width, this.#look) : wide(line.cells, width) };
  }
}

const blank: BodyLine = { line: [] };

function wide(cells: CellLine, width: number): CellLine {
  if (cells.width === width) return cells;
  const line = new CellLine(width);
  line.insert(0, cells);
  return line;
}

function isSame(before: BodyLine, after: BodyLine): boolean {
  if (before.cells !== undefined || after.cells !== undefined) return before.cells === after.cells;
  return (
    (before.selected ?? false) === (after.selected ?? false) &&
    (before.faded ?? false) === (after.faded ?? false) &&
    sameLine(before.line, after.line)
  );
}

function sameLine(before: Line, after: Line): boolean {
  if (before === after) return true;
  return before.length === after.length && before.every((segment, index) => sameSegment(segment, after[index]));
}

function sameSegment({ text, tone, inverse }: Segment, after: Segment | undefined): boolean {
  return text === after?.text && tone === after.tone && inverse === after.inverse;
}
