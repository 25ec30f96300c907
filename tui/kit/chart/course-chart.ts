import { findFigure } from "../../../lib/figures/figure-table.js";
import { Figure } from "../../../proto/gen/zor/v1/figures.js";
import type { FigureHistory } from "../../../proto/gen/zor/v1/figures_service.js";
import { formatTime } from "../format.js";
import { shortName } from "../resource-name.js";
import type { Tone } from "../states.js";
import { plainText } from "../text/plain-text.js";
import { cutLine, type Line, type Segment } from "../text/segment.js";
import { type ChartRange, holdOf, type TimedValue, toCells } from "./cells.js";
import { sparkline } from "./charts.js";
import { figureText } from "./figure-text.js";
import { drawCourses, signOf, valuesPerCell } from "./marks.js";

/** Courses that are drawn over each other; all others of the same figure are as well. */
const together: readonly (readonly Figure[])[] = [
  [Figure.FIGURE_CPU, Figure.FIGURE_CPU_USER, Figure.FIGURE_CPU_SYSTEM, Figure.FIGURE_CPU_IOWAIT],
  [Figure.FIGURE_MEMORY, Figure.FIGURE_MEMORY_AVAILABLE],
  [Figure.FIGURE_DISK_READ, Figure.FIGURE_DISK_WRITE],
  [Figure.FIGURE_DISK_READ_OPS, Figure.FIGURE_DISK_WRITE_OPS],
  [Figure.FIGURE_NET_IN, Figure.FIGURE_NET_OUT],
  [Figure.FIGURE_NET_IN_FRAMES, Figure.FIGURE_NET_OUT_FRAMES],
  [Figure.FIGURE_PRESSURE_CPU, Figure.FIGURE_PRESSURE_MEMORY, Figure.FIGURE_PRESSURE_IO],
];
/** More courses over each other cannot be told apart. */
const mostCourses = 6;
const tones: readonly Tone[] = ["accent", "warn", "good", "bad", "strong", "plain"];

/** One course. */
interface Course {
  readonly title: string;
  readonly figure: Figure;
  readonly points: readonly TimedValue[];
}

/** How courses are drawn. */
export interface ChartLook {
  readonly range: ChartRange;
  readonly width: number;
  /** Rows of a large chart. */
  readonly rows: number;
  readonly hasDots: boolean;
  /** The moment whose values are told; undefined: the last ones. */
  readonly cursorMs: number | undefined;
  /** Local time. */
  readonly nowMs: number;
}

/** How far a cell of a chart reaches, in milliseconds: the step of a cursor. */
export function stepOf({ range, width }: Pick<ChartLook, "range" | "width">): number {
  return Math.max(1, (range.endMs - range.startMs) / chartWidth(width));
}

/** A row each: title, course, and the value at the cursor with the most and the average. */
export function courseRows(series: readonly FigureHistory[], look: ChartLook): readonly Line[] {
  const courses = coursesOf(series);
  const facts = courses.map((course) => factsOf(course, look));
  const titleWidth = Math.max(4, ...courses.map(({ title }) => title.length));
  const factsWidth = Math.max(4, ...facts.map((text) => text.length));
  const count = Math.max(10, look.width - titleWidth - factsWidth - 5);
  return courses.map(({ title, points }, index) => {
    const cells = toCells(points, { ...look.range, count, holdMs: holdOf(points) });
    const bars = sparkline(cells, Math.max(0, ...cells.map((value) => value ?? 0)));
    return cutLine(
      [
        { text: ` ${title.padEnd(titleWidth)}  ` },
        ...withCursor([...bars], cursorCell(look, count)).map((segment) => ({ tone: "accent" as const, ...segment })),
        { text: `  ${facts[index] ?? ""}`, tone: "dim" },
      ],
      look.width,
    );
  });
}

/** Large charts, those that belong together over each other, with a legend that tells the values at the cursor. */
export function courseCharts(series: readonly FigureHistory[], look: ChartLook): readonly Line[] {
  return groupsOf(coursesOf(series)).flatMap((group) => [...chartOf(group, look), []]);
}

/** The moment that is told of, for people. */
export function momentText({ range, cursorMs, nowMs }: Pick<ChartLook, "range" | "cursorMs" | "nowMs">): string {
  const time = (ms: number): string => formatTime(new Date(ms), nowMs);
  if (cursorMs === undefined) return `${time(range.startMs)} to ${time(range.endMs)}`;
  return `at ${time(cursorMs)}`;
}

function chartOf(group: readonly Course[], look: ChartLook): readonly Line[] {
  const { range, hasDots, rows } = look;
  const [first] = group;
  const cellsWide = chartWidth(look.width);
  const count = cellsWide * valuesPerCell(hasDots);
  const values = group.map(({ points }) => toCells(points, { ...range, count, holdMs: holdOf(points) }));
  const most = Math.max(0, ...values.flatMap((cells) => cells.map((value) => value ?? 0)));
  const drawn = drawCourses(values, { most, rows, hasDots });
  const cursor = cursorCell(look, cellsWide);
  const axis = (row: number): string => {
    if (first === undefined) return "";
    if (row === 0) return figureText(first.figure, most);
    return row === rows - 1 ? figureText(first.figure, 0) : "";
  };
  return [
    ...group.map((course, index) =>
      cutLine(
        [
          { text: ` ${signOf(index, hasDots)} `, tone: toneOf(index) },
          { text: `${course.title}: `, tone: "strong" },
          { text: factsOf(course, look) },
        ],
        look.width,
      ),
    ),
    ...drawn.map((cells, row): Line => {
      const pieces = withCursor(
        cells.map(({ text }) => text),
        cursor,
      );
      const toned = pieces.map((piece, at): Segment => ({ ...piece, ...toneAt(cells[at]?.course) }));
      return [{ text: `${axis(row).padStart(axisWidth - 2)} ┤`, tone: "dim" }, ...joined(toned)];
    }),
  ];
}

const axisWidth = 13;

function chartWidth(width: number): number {
  return Math.max(10, width - axisWidth - 1);
}

function toneOf(course: number): Tone {
  return tones[course % tones.length] ?? "plain";
}

function toneAt(course: number | undefined): Pick<Segment, "tone"> {
  return course === undefined ? {} : { tone: toneOf(course) };
}

/** The cell that the cursor is in; -1: none. */
function cursorCell({ range, cursorMs }: ChartLook, count: number): number {
  if (cursorMs === undefined) return -1;
  const part = (cursorMs - range.startMs) / Math.max(1, range.endMs - range.startMs);
  return part < 0 || part > 1 ? -1 : Math.min(count - 1, Math.floor(part * count));
}

/** Cells, that of the cursor inverse. */
function withCursor(cells: readonly string[], cursor: number): Segment[] {
  return cells.map((text, at) => (at === cursor ? { text: text === " " ? "│" : text, inverse: true } : { text }));
}

/** Neighbours that look alike in one piece. */
function joined(segments: readonly Segment[]): Segment[] {
  const pieces: Segment[] = [];
  for (const segment of segments) {
    const last = pieces.at(-1);
    if (last !== undefined && last.tone === segment.tone && last.inverse === segment.inverse) {
      pieces[pieces.length - 1] = { ...last, text: last.text + segment.text };
    } else pieces.push(segment);
  }
  return pieces;
}

function groupsOf(courses: readonly Course[]): readonly (readonly Course[])[] {
  const groups = new Map<string, Course[]>();
  for (const course of courses) {
    const number = together.findIndex((figures) => figures.includes(course.figure));
    const key = number < 0 ? `figure ${course.figure}` : `group ${number}`;
    groups.set(key, [...(groups.get(key) ?? []), course]);
  }
  return [...groups.values()].flatMap((group) =>
    Array.from({ length: Math.ceil(group.length / mostCourses) }, (_, at) =>
      group.slice(at * mostCourses, (at + 1) * mostCourses),
    ),
  );
}

/** What was measured; of many, those say nothing that were never anything. */
function coursesOf(series: readonly FigureHistory[]): readonly Course[] {
  const measured = series.filter(({ points }) => points.length > 0);
  const shown = measured.length <= 3 ? measured : measured.filter(({ points }) => points.some(({ most }) => most > 0n));
  return shown.map((each) => ({ title: titleOf(each), figure: each.figure, points: pointsOf(each) }));
}

function titleOf({ figure, part, host, name }: FigureHistory): string {
  const word = findFigure(figure)?.word ?? `figure ${figure}`;
  const where = name.startsWith("links/") ? ` at ${shortName(host)}` : part === "" ? "" : ` of ${part}`;
  return plainText(`${word}${where}`);
}

function pointsOf({ points }: FigureHistory): readonly TimedValue[] {
  return points.map(({ time, average }) => ({ timeMs: time?.getTime() ?? 0, value: Number(average) }));
}

/** The value at the cursor, else the last one, with the average and the most. */
function factsOf({ figure, points }: Course, { cursorMs }: ChartLook): string {
  const text = (value: number): string => figureText(figure, value);
  const values = points.map(({ value }) => value);
  const mean = values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
  const most = Math.max(0, ...values);
  const shown = cursorMs === undefined ? `last ${text(values.at(-1) ?? 0)}` : valueAt(points, cursorMs, text);
  return `${shown}, average ${text(mean)}, most ${text(most)}`;
}

function valueAt(points: readonly TimedValue[], atMs: number, text: (value: number) => string): string {
  const point = points.findLast(({ timeMs }) => timeMs <= atMs);
  return point === undefined || atMs - point.timeMs > holdOf(points) ? "not known" : `then ${text(point.value)}`;
}
