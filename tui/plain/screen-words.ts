import type { Screen } from "../kit/screen.js";
import type { Spoken } from "../kit/spoken/spoken.js";
import { spokenBody } from "../kit/spoken/spoken-page.js";
import { wordsOfLine } from "../kit/spoken/words.js";
import { plainText } from "../kit/text/plain-text.js";
import { FormScreen } from "../screens/form/form-screen.js";

/** What screens are drawn into where they have no words of their own. */
const size = { width: 200, height: 400 } as const;
/** What they are drawn into where only their facts are asked for. */
const few = 3;

/** All that a screen says. */
export function wordsOfScreen(screen: Screen): Spoken {
  return screen.say?.() ?? drawnWords(screen);
}

/** What a screen draws, in words. */
export function drawnWords(screen: Screen): Spoken {
  return spokenBody(screen.draw(size.width, size.height).lines);
}

/** Where the person is, and how that stands. */
export function headingOf(screen: Screen): string {
  const { facts = [], aside = "" } = screen.draw(size.width, few);
  const more = screen instanceof FormScreen && aside !== "" ? `, ${aside}` : "";
  const said = facts.map((segment) => wordsOfLine([segment])).filter((text) => text !== "");
  return plainText(`${[screen.title(), ...said].join(", ")}${more}`);
}
