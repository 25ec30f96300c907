import { commandLineHelp } from "./command-line.js";
import { availableCommands, commands, type KeyContext } from "../kit/keys/commands.js";
import type { DescribeLine } from "../kit/describe/line.js";
import { type ImpactLine, impactTitle } from "../kit/impact.js";
import type { Model, Prompt } from "../kit/model.js";
import { plainText } from "../kit/text/plain-text.js";
import { kinds } from "../kit/row.js";
import type { Line, Segment } from "../kit/text/segment.js";
import { cutLine } from "../kit/text/segment.js";
import { sparkline } from "../kit/describe/sparkline.js";
import type { TableState } from "../kit/table/table-state.js";
import { fitText, textWidth } from "../kit/text/text-width.js";
import { wrapText } from "../kit/text/wrap-text.js";
import { keyName } from "./footer.js";

/** Lines of one value, at most. */
const longestValue = 50;

/** A description as lines; values that are too long go on below themselves. */
export function describeLines(lines: readonly DescribeLine[], width: number): readonly Line[] {
  const labels = lines.map((line) => ("label" in line ? textWidth(plainText(line.label)) : 0));
  const labelWidth = Math.min(32, Math.max(12, ...labels));
  return lines.flatMap((line): Line[] => {
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

/** The help: every key that is bound, and the command line. */
export function helpLines(model: Model, context: KeyContext, width: number): readonly Line[] {
  const everywhere = commands.filter((command) =>
    kinds.some((kind) => availableCommands({ ...context, screen: "table", kind }).includes(command)),
  );
  const lines: Line[] = [];
  for (const group of ["Move", "Look", "Act", "Program"] as const) {
    lines.push([{ text: ` ${group}`, tone: "accent" }]);
    const tables = everywhere.filter((command) => command.group === group && command.id.startsWith("table:"));
    for (const command of everywhere) {
      if (command.group !== group || command.id.startsWith("table:")) continue;
      const title = command.dangerous === true ? `${command.title} (asks first)` : command.title;
      lines.push(helpLine(command.keys.map(keyName).join(" "), title));
    }
    if (tables.length > 0) {
      const keys = tables.map((command) => command.keys[0]);
      lines.push(
        helpLine(`${keys.at(0) ?? ""} to ${keys.at(-1) ?? ""}`, tables.map((command) => command.title).join(", ")),
      );
    }
    if (group === "Look") {
      lines.push(helpLine("shift letter", "sort by that column, the same again turns round:"));
      for (const keys of sortKeys(model, width - 20)) lines.push(helpLine("", keys));
    }
    lines.push([]);
  }
  lines.push([{ text: " Command line", tone: "accent" }]);
  for (const { form, title } of commandLineHelp) lines.push(helpLine(form, title, 32));
  if (context.readOnly) lines.push([], [{ text: " read-only: nothing can be changed from here", tone: "warn" }]);
  return lines.map((line) => cutLine(line, width));
}

/** The letters that sort the table the help was opened from, in lines of at most `width` cells. */
function sortKeys({ screens }: Model, width: number): readonly string[] {
  const table = screens.findLast((screen) => screen.type === "table")?.table;
  const lines: string[] = [];
  for (const { sortLetter, title } of table?.columns ?? []) {
    if (sortLetter === undefined) continue;
    const key = `${sortLetter} ${title.toLowerCase()}`;
    const last = lines.at(-1);
    if (last !== undefined && last.length + key.length + 3 <= width) lines[lines.length - 1] = `${last}   ${key}`;
    else lines.push(key);
  }
  return lines;
}

function helpLine(keys: string, title: string, keyWidth = 14): Line {
  return [{ text: `   ${fitText(keys, keyWidth)} ` }, { text: title, tone: "dim" }];
}

/** What an action would change, and what to type to go ahead. */
export function confirmLines(
  prompt: Prompt & { readonly type: "confirm" },
  width: number,
  height: number,
): readonly Line[] {
  const { impact, phrase, text } = prompt;
  const question: Line[] =
    phrase === "y"
      ? [
          [
            { text: " press " },
            { text: "y", tone: "bad" },
            { text: " to go ahead, any other key to leave everything as it is" },
          ],
        ]
      : [
          [
            { text: " type " },
            { text: plainText(phrase), tone: "bad" },
            { text: " and enter to go ahead, esc to leave everything as it is" },
          ],
          [{ text: " > ", tone: "accent" }, { text: plainText(text) }, { text: "_", tone: "accent" }],
        ];
  const list: Line[] = [
    ...impact.changes.flatMap((change) => impactLines(change, width)),
    ...section(
      "Also affected",
      impact.collateral.map((line) => [{ text: `   ${plainText(line)}`, tone: "warn" }]),
    ),
    ...section(
      `Left out (${impact.skipped.length})`,
      impact.skipped.map(
        (skip): Line => [{ text: `   ${plainText(skip.subject)}  ${plainText(skip.effect)}`, tone: "dim" }],
      ),
    ),
  ];
  const room = Math.max(1, height - question.length - 4);
  const shown = list.length > room ? [...list.slice(0, room - 1), moreLine(list.length - room + 1)] : list;
  const title: Line = [{ text: ` ${plainText(capitalise(impactTitle(impact)))}?`, tone: "bad" }];
  return [[], title, [], ...shown, [], ...question].map((line) => cutLine(line, width));
}

/** What stands where there are no rows. */
export function emptyLines(model: Model, table: TableState): readonly Line[] {
  const { fleet, session } = model;
  const { connection, loaded } = fleet;
  const say = (text: string, tone: Segment["tone"] = "dim"): Line => [{ text: `   ${plainText(text)}`, tone }];
  if (!loaded && (connection.phase === "lost" || connection.phase === "refused")) {
    return [[], say(`nothing has been heard of ${session.address} yet`, "bad"), say(connection.reason, "bad")];
  }
  if (!loaded) return [[], say(`reading the fleet from ${session.address} ...`, "busy")];
  if (table.filterText !== "") return [[], say(`nothing matches "${table.filterText}"; esc shows everything`)];
  return [[], say(emptyTexts[table.kind])];
}

const emptyTexts: Readonly<Record<TableState["kind"], string>> = {
  hosts: "no hosts yet; register one with: zor host add NAME",
  instances: "no instances here; create one with: zor create instance",
  lans: "no lans here; create one with: zor create lan",
  ports: "nothing is plugged in; plug something in with: zor attach",
  links: "no links; join two lans with: zor create link",
  operations: "no operations",
  events: "no events",
  a2bs: "no in-line boxes; put one between two lans with: zor create a2b",
};

/** One thing that would change; what that takes along is never cut, but goes on below. */
function impactLines({ subject, effect }: ImpactLine, width: number): Line[] {
  const name: Segment = { text: `   ${plainText(subject)}`, tone: "strong" };
  const text = plainText(effect);
  if (textWidth(name.text) + 2 + textWidth(text) <= width) return [[name, { text: `  ${text}` }]];
  return [[name], ...wrapText(text, width - 6).map((part): Line => [{ text: `     ${part}` }])];
}

function section(title: string, lines: readonly Line[]): readonly Line[] {
  return lines.length === 0 ? [] : [[], [{ text: ` ${title}`, tone: "accent" }], ...lines];
}

function moreLine(count: number): Line {
  return [{ text: `   ... and ${count} more`, tone: "dim" }];
}

function capitalise(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
