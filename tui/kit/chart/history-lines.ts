import { findFigure } from "../../../lib/figures/figure-table.js";
import type { FigureHistory } from "../../../proto/gen/zor/v1/figures_service.js";
import { formatTime } from "../format.js";
import { shortName } from "../resource-name.js";
import { escapeText } from "../text/escape.js";
import { type ChartRange, holdOf, toCells } from "./cells.js";
import { blockRows, brailleRows, sparkline } from "./charts.js";
import { figureText } from "./figure-text.js";

const chartRows = 8;

/** How charts are drawn. */
export interface HistoryLook {
  /** Full name of what was measured. */
  readonly name: string;
  readonly range: ChartRange;
  /** Cells of a line at most. */
  readonly columns: number;
  /** Large charts are of braille's dots; false: of blocks, which every terminal has. */
  readonly dots: boolean;
}

/** Charts for people, safe for terminals: of one figure a large one, of several a row each. */
export function historyLines(series: readonly FigureHistory[], look: HistoryLook): string[] {
  const { name, range } = look;
  const nowMs = Date.now();
  const from = formatTime(new Date(range.startMs), nowMs);
  const to = formatTime(new Date(range.endMs), nowMs);
  const measured = series.filter(({ points }) => points.length > 0);
  // Of many, those say nothing that were never anything.
  const shown = measured.length <= 3 ? measured : measured.filter(({ points }) => points.some(({ most }) => most > 0n));
  const head = `${shortName(name)}, ${from} to ${to}`;
  if (shown.length === 0) return [`${head}: nothing was measured`].map((line) => escapeText(line));
  const isLarge = shown.length === 1;
  const body = isLarge ? shown.flatMap((each) => largeChart(each, look)) : rows(shown, look);
  return [head, ...body].map((line) => escapeText(line));
}

function rows(series: readonly FigureHistory[], { range, columns }: HistoryLook): string[] {
  const lines = series.map((each) => ({ title: titleOf(each), facts: factsOf(each), points: pointsOf(each) }));
  const titleWidth = Math.max(...lines.map(({ title }) => title.length));
  const factsWidth = Math.max(...lines.map(({ facts }) => facts.length));
  const count = Math.max(10, columns - titleWidth - factsWidth - 4);
  return lines.map(({ title, facts, points }) => {
    const cells = toCells(points, { ...range, count, holdMs: holdOf(points) });
    const most = Math.max(0, ...cells.map((value) => value ?? 0));
    return `${title.padEnd(titleWidth)}  ${sparkline(cells, most)}  ${facts}`;
  });
}

function largeChart(series: FigureHistory, { range, columns, dots }: HistoryLook): string[] {
  const points = pointsOf(series);
  const most = Math.max(0, ...points.map(({ value }) => value));
  const labels = Array.from({ length: chartRows }, (_, row) =>
    row === 0 ? figureText(series.figure, most) : row === chartRows - 1 ? figureText(series.figure, 0) : "",
  );
  const width = Math.max(...labels.map((label) => label.length));
  const count = Math.max(10, columns - width - 2) * (dots ? 2 : 1);
  const cells = toCells(points, { ...range, count, holdMs: holdOf(points) });
  const chart = dots ? brailleRows(cells, most, chartRows) : blockRows(cells, most, chartRows);
  return [
    `${titleOf(series)}: ${factsOf(series)}`,
    ...chart.map((row, index) => `${(labels[index] ?? "").padStart(width)} ┤${row}`),
  ];
}

function titleOf({ figure, part, host, name }: FigureHistory): string {
  const word = findFigure(figure)?.word ?? `figure ${figure}`;
  const where = name.startsWith("links/") ? ` at ${shortName(host)}` : part === "" ? "" : ` of ${part}`;
  return `${word}${where}`;
}

function factsOf({ figure, points }: FigureHistory): string {
  const averages = points.map(({ average }) => Number(average));
  const mean = averages.reduce((sum, value) => sum + value, 0) / Math.max(1, averages.length);
  const most = points.reduce((highest, point) => Math.max(highest, Number(point.most)), 0);
  const text = (value: number): string => figureText(figure, value);
  return `last ${text(averages.at(-1) ?? 0)}, average ${text(mean)}, most ${text(most)}`;
}

function pointsOf({ points }: FigureHistory) {
  return points.map(({ time, average }) => ({ timeMs: time?.getTime() ?? 0, value: Number(average) }));
}
