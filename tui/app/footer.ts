import { type Command, keyName } from "../kit/keys/command.js";
import type { Model, Notice } from "../kit/model.js";
import type { Prompt } from "../kit/prompt.js";
import type { Recall } from "../kit/recall.js";
import type { Tone } from "../kit/states.js";
import { plainText } from "../kit/text/plain-text.js";
import { cutLine, type Line, lineWidth, type Segment } from "../kit/text/segment.js";
import { textWidth } from "../kit/text/text-width.js";
import { wrapText } from "../kit/text/wrap-text.js";

/** More lines than this are not taken from the body. */
const mostMessageLines = 3;

/** The lines above the hints, one at least: what is being typed, or what there is to say. */
export function messageLines(
  model: Model,
  suggestions: readonly string[],
  width: number,
  aside: string,
): readonly Line[] {
  const { prompt, notice } = model;
  if (prompt?.type === "command" || prompt?.type === "input") {
    const [best] = suggestions;
    const rest = best?.slice(prompt.text.length) ?? "";
    const others = suggestions.length > 1 ? `   ${suggestions.slice(1).join("  ")}` : "";
    const after: Line = [
      { text: plainText(rest), tone: "dim" },
      { text: plainText(others), tone: "dim" },
    ];
    const sign = prompt.type === "input" ? `${plainText(prompt.title)}: ` : `${searchSign(prompt)}:`;
    const text =
      prompt.type === "input" && prompt.isSecret === true ? "\u2022".repeat(prompt.text.length) : prompt.text;
    return [typed(sign, text, after, width)];
  }
  if (prompt?.type === "question")
    return said("? ", `${prompt.title}? y goes ahead, any other key does not`, "warn", width);
  if (prompt?.type === "filter") {
    const help = prompt.text === "" ? (prompt.help ?? "words, state=running, host!=beta, !word") : "";
    return [typed(`${searchSign(prompt)}/`, prompt.text, [{ text: ` ${help}`, tone: "dim" }], width)];
  }
  if (notice !== undefined) {
    const symbol = notice.tone === "bad" ? "✗ " : notice.tone === "warn" ? "! " : "";
    return said(symbol, notice.text, fadedTone(model, notice), width);
  }
  const trouble = connectionTrouble(model);
  return trouble === "" ? said("", aside, "dim", width).slice(0, 1) : said("✗ ", trouble, "bad", width);
}

/** What is searched for among what was typed before. */
function searchSign({ recall }: { readonly recall?: Recall | undefined }): string {
  return recall?.searched === undefined ? "" : `(search "${plainText(recall.searched)}") `;
}

/** A text over as many lines as it needs, up to a bound. */
function said(symbol: string, text: string, tone: Tone, width: number): readonly Line[] {
  const [first = "", ...more] = wrapText(plainText(text), width - 2 - symbol.length);
  const kept = [first, ...more.slice(0, mostMessageLines - 1)];
  if (more.length >= mostMessageLines) kept[kept.length - 1] += "…";
  return kept.map((line, index) =>
    cutLine([{ text: ` ${index === 0 ? symbol : " ".repeat(symbol.length)}${line}`, tone }], width),
  );
}

/** What is said grows dim before it goes; what went wrong stays as it is. */
function fadedTone({ nowMs }: Model, { tone, atMs, staysMs }: Notice): Tone {
  return tone !== "bad" && nowMs - atMs >= (staysMs * 2) / 3 ? "dim" : tone;
}

/** Why what is shown is old. */
function connectionTrouble({ fleet, session }: Model): string {
  const { phase, reason } = fleet.connection;
  if (phase !== "lost" && phase !== "refused") return "";
  const past = session.agentOf === undefined ? "; :agent HOST asks a host's agent itself" : "";
  return fleet.loaded ? `${reason}; all of this is as last heard${past}` : reason;
}

/** A prompt with its cursor; of a text that is too long the end is shown. */
function typed(sign: string, text: string, after: readonly Segment[], width: number): Line {
  let shown = plainText(text);
  while (shown !== "" && textWidth(shown) > width - 3 - textWidth(sign)) shown = [...shown].slice(1).join("");
  const line: Segment[] = [
    { text: ` ${sign}`, tone: "accent" },
    { text: shown },
    { text: "_", tone: "accent" },
    ...after,
  ];
  return cutLine(line, width);
}

/** What may follow what is typed: whole lines, of which is shown what stands behind a character. */
export interface Suggested {
  readonly lines: readonly string[];
  readonly from: number;
}

/** The keys that matter here, as many as fit; below a filter that is being typed, what may follow. */
export function hintLine(
  model: Model,
  commands: readonly Command[],
  width: number,
  suggested: Suggested = { lines: [], from: 0 },
): Line {
  const { prompt } = model;
  if (prompt?.type === "filter" && prompt.text !== "" && suggested.lines.length > 0) {
    return suggestedLine(prompt.cycle !== undefined, suggested, width);
  }
  if (prompt !== undefined) return promptHints(prompt, width);
  const line: Segment[] = [{ text: " " }];
  const hints = commands.flatMap(({ keys, hint }) =>
    hint === undefined || hint.when?.() === false
      ? []
      : [{ rank: hint.rank, word: hint.shown?.() ?? hint.word, key: keys[0] ?? "" }],
  );
  for (const { key, word } of hints.sort((left, right) => left.rank - right.rank)) {
    const pair: Segment[] = [
      { text: keyName(key), tone: "accent" },
      { text: ` ${word}  `, tone: "dim" },
    ];
    if (lineWidth(line) + lineWidth(pair) > width) break;
    line.push(...pair);
  }
  return line;
}

function suggestedLine(isShown: boolean, { lines, from }: Suggested, width: number): Line {
  const [first = "", ...others] = lines.slice(0, width).map((line) => plainText(line.slice(from).trim()));
  const best: Segment = isShown ? { text: first, tone: "accent" } : { text: first };
  return cutLine([{ text: " tab ", tone: "accent" }, best, { text: `  ${others.join("  ")}`, tone: "dim" }], width);
}

function promptHints(prompt: Prompt, width: number): Line {
  const keys = {
    command: "enter runs it  tab completes  up what was typed before  ^r searches there  esc leaves",
    input: "enter goes on  tab completes  esc leaves everything as it is",
    filter: "enter keeps the filter  tab completes  up and ^r bring earlier ones back  esc drops it",
    question: "any key but y leaves everything as it is",
    confirm: "esc leaves everything as it is",
  } as const;
  return cutLine([{ text: ` ${keys[prompt.type]}`, tone: "dim" }], width);
}
