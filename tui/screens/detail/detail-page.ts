import { counted } from "../../../lib/words.js";
import { describeEach } from "../../kit/describe/describe-lines.js";
import { type DescribeLine, field, heading, text } from "../../kit/describe/line.js";
import type { CellContext } from "../../kit/fleet/fleet-view.js";
import type { Fleet } from "../../kit/fleet/fleet.js";
import { formatTime } from "../../kit/format.js";
import type { TuiKind } from "../../kit/kind.js";
import { pluralOf } from "../../kit/kind-table.js";
import { Looks } from "../../kit/map/looks.js";
import type { PickLine } from "../../kit/pick-page.js";
import { relatedTo } from "../../kit/related/related.js";
import { shortName } from "../../kit/resource-name.js";
import type { Row } from "../../kit/row.js";

/** Of what happened so much is told. */
const mostEvents = 6;

/** Where enter leads from a line. */
export type Leading =
  | { readonly type: "resource"; readonly name: string }
  | { readonly type: "contents"; readonly kind: string }
  | { readonly type: "events" };

/** A line of a description, with where it leads. */
export interface DetailLine {
  readonly line: DescribeLine;
  readonly leads?: Leading;
}

/** What a resource has to do with, and what happened to it: sections below its description, every line of which leads there. */
export function moreLines(fleet: Fleet, kind: TuiKind, row: Row, context: CellContext): readonly DetailLine[] {
  const contents = kind.presence === undefined ? [] : contentLines(fleet, row);
  const related = relatedTo(fleet, kind, row).map((other) => relatedLine(fleet, other));
  const events = kind.log === undefined ? eventLines(fleet, row, context) : [];
  return [...section("On it", contents), ...section("Related", related), ...section("Happened", events)];
}

function section(title: string, lines: readonly DetailLine[]): readonly DetailLine[] {
  return lines.length === 0 ? [] : [{ line: heading(title) }, ...lines];
}

function contentLines(fleet: Fleet, row: Row): readonly DetailLine[] {
  return fleet.contentsOf(row.id).map(({ kind, count }) => {
    const plural = pluralOf(fleet.kinds.get(kind));
    return { line: field(`→ ${plural}`, counted(count, kind, plural)), leads: { type: "contents", kind } };
  });
}

function relatedLine(fleet: Fleet, row: Row): DetailLine {
  const { symbol, word, tone } = new Looks(fleet).styleOfRow(row);
  const value = { text: `${shortName(row.name)}  ${symbol} ${word}`, ...(tone === "good" ? {} : { tone }) };
  return { line: field(`→ ${row.kind}`, value), leads: { type: "resource", name: row.name } };
}

function eventLines(fleet: Fleet, row: Row, context: CellContext): readonly DetailLine[] {
  const { log } = fleet.kinds;
  if (log === undefined) return [];
  const timeColumn = log.columns.find(({ id }) => id === log.sortBy);
  const timeOf = (event: Row): number => Number(timeColumn?.sortKey?.(event, context) ?? 0);
  const about = [...fleet.rowsOf(log.kind)]
    .filter((event) => {
      const name = log.log.read(event.resource).about;
      return name === row.name || name.startsWith(`${row.name}/`);
    })
    .sort((left, right) => timeOf(right) - timeOf(left));
  const message = log.columns.find(({ id }) => id === "message");
  const shown = about.slice(0, mostEvents).map((event): DetailLine => {
    const cell = message?.cell(event, context) ?? { text: "" };
    const said = log.log.read(event.resource).type;
    const label = timeColumn === undefined ? "" : formatTime(new Date(timeOf(event)), context.nowMs);
    return {
      line: field(label, { ...cell, text: `${said}  ${cell.text}` }),
      leads: { type: "resource", name: event.name },
    };
  });
  const more = about.length - shown.length;
  if (more === 0) return shown;
  return [...shown, { line: text(`and ${counted(more, "other event")}`, "dim"), leads: { type: "events" } }];
}

/** How a page is drawn. */
export interface PageLook {
  readonly width: number;
  /** Keys of what is folded. */
  readonly folded: ReadonlySet<string>;
}

/** A line that was drawn. */
export interface DrawnDetail extends PickLine {
  readonly key: string;
  readonly leads?: Leading;
  /** What is folded and unfolded here. */
  readonly fold?: string;
}

/** A description as lines, those of folded sections left out. */
export function detailPage(lines: readonly DetailLine[], { width, folded }: PageLook): readonly DrawnDetail[] {
  const drawn = describeEach(
    lines.map(({ line }) => line),
    width,
  );
  const page: DrawnDetail[] = [];
  let current = "";
  const hidden = hiddenLines(lines, folded);
  for (const [index, { line, leads }] of lines.entries()) {
    const parts = drawn[index] ?? [];
    if (line.type === "heading") {
      current = line.text;
      const count = hidden.get(line.text) ?? 0;
      const isFolded = folded.has(line.text);
      for (const [at, part] of parts.entries()) {
        const isTitle = at === parts.length - 1;
        page.push({
          key: `${line.text} ${isTitle ? "title" : at}`,
          line: isTitle && isFolded ? [...part, { text: `  ${counted(count, "line")}, folded`, tone: "dim" }] : part,
          ...(isTitle ? { fold: line.text } : {}),
        });
      }
      continue;
    }
    if (folded.has(current)) continue;
    for (const [at, part] of parts.entries()) {
      const key = `${current} ${index} ${at}`;
      page.push({ key, line: part, ...(leads === undefined ? {} : { leads }) });
    }
  }
  return page;
}

function hiddenLines(lines: readonly DetailLine[], folded: ReadonlySet<string>): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  let current = "";
  for (const { line } of lines) {
    if (line.type === "heading") current = line.text;
    else if (folded.has(current)) counts.set(current, (counts.get(current) ?? 0) + 1);
  }
  return counts;
}

/** YAML as lines, what is below folded keys left out. */
export function yamlPage(lines: readonly DescribeLine[], { width, folded }: PageLook): readonly DrawnDetail[] {
  const drawn = describeEach(lines, width);
  const page: DrawnDetail[] = [];
  const path: { readonly indent: number; readonly key: string }[] = [];
  for (const [index, { text: line }] of lines.entries()) {
    const indent = line.search(/\S|$/);
    // A list stands as deep as the key that it belongs to.
    while (path.length > 0 && isOutside(path.at(-1), indent, line)) path.pop();
    if (path.some(({ key }) => folded.has(key))) continue;
    const word = /^\s*([\w.-]+):$/.exec(line)?.[1];
    const key = word === undefined ? undefined : [...path.map((each) => each.key), word].join(".");
    const named = /(?:^|[\s"'])([a-z0-9]+\/[^\s"']+)["']?$/.exec(line)?.[1];
    for (const [at, part] of (drawn[index] ?? []).entries()) {
      page.push({
        key: `yaml ${index} ${at}`,
        line: key !== undefined && folded.has(key) ? [...part, { text: " …", tone: "dim" }] : part,
        ...(key === undefined ? {} : { fold: key }),
        ...(named === undefined ? {} : { leads: { type: "resource", name: named } }),
      });
    }
    if (key !== undefined) path.push({ indent, key });
  }
  return page;
}

function isOutside(above: { readonly indent: number } | undefined, indent: number, line: string): boolean {
  if (above === undefined) return false;
  return indent < above.indent || (indent === above.indent && !line.trimStart().startsWith("- "));
}
