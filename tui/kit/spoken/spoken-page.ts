import type { PickLine, PickPage } from "../pick-page.js";
import type { BodyLine } from "../screen.js";
import { type Spoken, type SpokenLine, spokenLines } from "./spoken.js";
import { wordsOfLine } from "./words.js";

/** What was drawn, without what is only to be seen. */
export function spokenBody(lines: readonly BodyLine[]): Spoken {
  return spokenLines(
    lines.flatMap(({ line }) => {
      const text = wordsOfLine(line);
      return text === "" ? [] : [{ text }];
    }),
  );
}

/** A page with a cursor, which goes to the line that is chosen. */
export function spokenPage(page: PickPage, lines: readonly PickLine[]): Spoken {
  return spokenLines(
    lines.flatMap(({ line, key }): SpokenLine[] => {
      const text = wordsOfLine(line);
      if (text === "") return [];
      return [key === undefined ? { text } : { text, pick: () => page.pick(key) }];
    }),
  );
}
