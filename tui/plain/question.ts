import { blastLines } from "../app/confirm.js";
import type { Prompt } from "../kit/prompt.js";
import { wordsOfLine } from "../kit/spoken/words.js";
import { plainText } from "../kit/text/plain-text.js";

/** Of what would change so many lines are said before the rest is asked for. */
const fewLines = 20;
/** Lines are as long as they are. */
const width = 1000;

/** A question in lines: what it is about first, then what can be answered. @param isWhole nothing of that is left out. */
export function questionLines(prompt: Prompt, isWhole = false): readonly string[] {
  switch (prompt.type) {
    case "confirm": {
      const lines = blastLines(prompt.impact, width).map(wordsOfLine);
      const all = lines.filter((text) => text !== "");
      const shown = isWhole ? all : all.slice(0, fewLines);
      const left = all.length - shown.length;
      return [
        ...shown,
        ...(left === 0 ? [] : [`and ${left} more lines; all says them`]),
        `type ${plainText(prompt.phrase)} to go ahead; anything else leaves everything as it is`,
      ];
    }
    case "input": {
      const { title, choices } = prompt;
      const shown = isWhole ? choices : choices.slice(0, fewLines);
      const more = choices.length > shown.length ? `, and ${choices.length - shown.length} more; all says them` : "";
      const which = choices.length === 0 ? "" : ` One of ${plainText(shown.join(", "))}${more}.`;
      return [`${plainText(title)}?${which} An empty line leaves it.`];
    }
    case "question":
      return [`${plainText(prompt.title)}?`, "type y to go ahead; anything else leaves everything as it is"];
    case "filter":
      return [`${prompt.help ?? "filter"}?`];
    case "command":
      return ["command?"];
  }
}
