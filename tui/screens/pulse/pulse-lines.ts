import { Figure } from "../../../proto/gen/zor/v1/figures.js";
import { sparkline } from "../../kit/describe/sparkline.js";
import type { CellContext } from "../../kit/fleet/fleet-view.js";
import type { KindCount } from "../../kit/fleet/summary.js";
import { formatAge, formatBytes } from "../../kit/format.js";
import { pluralOf } from "../../kit/kind-table.js";
import type { PickLine } from "../../kit/pick-page.js";
import { shortName } from "../../kit/resource-name.js";
import { plainText } from "../../kit/text/plain-text.js";
import { cutLine, type Line, lineWidth, type Segment } from "../../kit/text/segment.js";
import { fitText } from "../../kit/text/text-width.js";
import type { Troubled } from "../../kit/trouble/trouble-reader.js";
import type { Consumer } from "../../kit/busy/busy.js";
import type { Ranking, Totals } from "./consumers.js";

/** Widths of what stands in columns. */
const [titleWidth, courseWidth] = [11, 30];

/** A heading of the page. */
export function headingLine(text: string, aside = ""): PickLine {
  return {
    line: [
      { text: ` ${text}`, tone: "accent" },
      { text: aside === "" ? "" : `  ${plainText(aside)}`, tone: "dim" },
    ],
  };
}

/** How many of a kind there are, in which states. */
export function countLine({ kind, total, states }: Omit<KindCount, "counted">, width: number): PickLine {
  const title = pluralOf(kind);
  const line: Segment[] = [
    { text: ` ${fitText(title, titleWidth)}`, tone: "dim" },
    { text: `${total}`.padStart(6), tone: "strong" },
    { text: "  " },
  ];
  const worstFirst = states.toReversed();
  for (const { style, count } of worstFirst) {
    const next: Segment = { text: ` ${style.symbol} ${count} ${style.word} `, tone: style.tone };
    if (lineWidth([...line, next]) > width) break;
    line.push(next);
  }
  return { line, key: `kind ${kind.kind}` };
}

/** What happens each second, and its course over the last minutes. */
export function eventLine(
  given: { readonly rate: number; readonly course: readonly number[]; readonly heardMs: number | undefined },
  width: number,
): PickLine {
  const { rate, course, heardMs } = given;
  const all = course.reduce((sum, count) => sum + count, 0);
  const heard = heardMs === undefined ? "nothing heard yet" : `heard ${formatAge(heardMs)} ago`;
  const text = `${rate.toFixed(1)}/s, ${all} in ${Math.round(course.length / 60)} minutes, ${heard}`;
  return { line: courseLine("events", text, course, width), key: "events" };
}

/** What all hosts and instances use together, as far as that is known. */
export function totalLines({ cpu, traffic }: Totals, width: number): readonly PickLine[] {
  const [cores, bytes] = [cpu.at(-1), traffic.at(-1)];
  const lines: PickLine[] = [];
  if (cores !== undefined)
    lines.push({ line: courseLine("processors", `${(cores / 1000).toFixed(2)} cores of all hosts`, cpu, width) });
  if (bytes !== undefined)
    lines.push({
      line: courseLine("traffic", `${formatBytes(Math.round(bytes))}/s of all instances`, traffic, width),
    });
  return lines;
}

function courseLine(title: string, text: string, course: readonly number[], width: number): Line {
  const bars = Math.max(10, Math.min(width - 2 - titleWidth - 44, courseWidth * 3));
  const known = course.slice(-bars * Math.max(1, Math.ceil(course.length / bars)));
  return cutLine(
    [
      { text: ` ${fitText(title, titleWidth)}`, tone: "dim" },
      { text: fitText(plainText(text), 42) },
      { text: " " },
      { text: sparkline(known, bars, Math.max(...known, 0)), tone: "accent" },
    ],
    width,
  );
}

/** What is wrong with one thing, and why. */
export function troubleLine({ kind, row, trouble }: Troubled, width: number, context: CellContext): PickLine {
  const { tone, symbol, word, why, since } = trouble;
  const age = since === undefined ? "" : formatAge(context.fleet.hubTimeMs(context.nowMs) - since.getTime());
  const name = `${kind.kind} ${shortName(row.name)}`;
  const nameWidth = Math.min(40, Math.max(24, Math.floor(width / 4)));
  return {
    line: cutLine(
      [
        { text: ` ${symbol} `, tone },
        { text: fitText(plainText(name), nameWidth, "left", "middle"), tone: "strong" },
        { text: ` ${fitText(plainText(word), 12)} ${age.padStart(6)}  `, tone },
        { text: plainText(why) },
      ],
      width,
    ),
    key: `trouble ${row.name}`,
  };
}

/** The head of the columns of {@link consumerLine}. */
export function consumerHead({ word }: Ranking, width: number): PickLine {
  const texts = ["CPU", "MEMORY", "DISK", "TRAFFIC"].map((text) => text.padStart(9));
  return {
    line: cutLine(
      [{ text: `   ${fitText(`INSTANCE, by ${word}`, nameWidthOf(width))}${texts.join(" ")}`, tone: "dim" }],
      width,
    ),
  };
}

/** What one of those uses that use the most, and how that went on. */
export function consumerLine({ name, values }: Consumer, course: readonly number[], width: number): PickLine {
  const bytes = (...figures: readonly Figure[]): string =>
    formatBytes(Math.round(figures.reduce((sum, figure) => sum + (values.get(figure) ?? 0), 0)));
  const cells = [
    `${((values.get(Figure.FIGURE_CPU) ?? 0) / 10).toFixed(1)}%`,
    bytes(Figure.FIGURE_MEMORY),
    `${bytes(Figure.FIGURE_DISK_READ, Figure.FIGURE_DISK_WRITE)}/s`,
    `${bytes(Figure.FIGURE_NET_IN, Figure.FIGURE_NET_OUT)}/s`,
  ].map((text) => text.padStart(9));
  const nameWidth = nameWidthOf(width);
  const bars = Math.min(60, width - nameWidth - 3 - 40 - 2);
  return {
    line: cutLine(
      [
        { text: `   ${fitText(plainText(shortName(name)), nameWidth, "left", "middle")}`, tone: "strong" },
        { text: `${cells.join(" ")}  ` },
        { text: bars < 8 ? "" : sparkline(course.slice(-bars), bars, Math.max(...course, 0)), tone: "accent" },
      ],
      width,
    ),
    key: `consumer ${name}`,
  };
}

function nameWidthOf(width: number): number {
  return Math.min(48, Math.max(20, width - 56));
}
