import { blastText, type Impact, type ImpactLine } from "../kit/impact.js";
import type { Prompt } from "../kit/prompt.js";
import { plainText } from "../kit/text/plain-text.js";
import { cutLine, type Line, type Segment } from "../kit/text/segment.js";
import { textWidth } from "../kit/text/text-width.js";
import { wrapText } from "../kit/text/wrap-text.js";

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
  const [title = [], ...list] = blastLines(impact, width);
  const room = Math.max(1, height - question.length - 4);
  const shown = list.length > room ? [...list.slice(0, room - 1), moreLine(list.length - room + 1)] : list;
  return [[], title, [], ...shown, [], ...question].map((line) => cutLine(line, width));
}

/** What an action would change: how far it reaches in a line, then each thing and what that takes along. */
export function blastLines(impact: Impact, width: number): readonly Line[] {
  const isUnseen = ({ row }: ImpactLine): boolean => impact.unseen?.has(row.name) === true;
  const unseen = impact.changes.filter(isUnseen);
  return [
    [{ text: ` ${plainText(capitalise(blastText(impact)))}?`, tone: "bad" }],
    ...(unseen.length === 0 ? [] : [unseenTitle(unseen.length)]),
    ...unseen.flatMap((change) => impactLines(change, width)),
    ...(unseen.length === 0 || unseen.length === impact.changes.length ? [] : [[]]),
    ...impact.changes.filter((change) => !isUnseen(change)).flatMap((change) => impactLines(change, width)),
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
}

/** One thing that would change; what that takes along is never cut, but goes on below. */
function impactLines({ subject, effect }: ImpactLine, width: number): Line[] {
  const name: Segment = { text: `   ${plainText(subject)}`, tone: "strong" };
  const text = plainText(effect);
  if (textWidth(name.text) + 2 + textWidth(text) <= width) return [[name, { text: `  ${text}` }]];
  return [[name], ...wrapText(text, width - 6).map((part): Line => [{ text: `     ${part}` }])];
}

function unseenTitle(count: number): Line {
  return [{ text: ` Marked, but not shown by the filter (${count})`, tone: "warn" }];
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
