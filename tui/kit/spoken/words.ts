import type { Line } from "../text/segment.js";

/** Between two words these say something. */
const spelled: readonly (readonly [RegExp, string])[] = [
  // What goes each way through a cable: "→2kb/s ←0".
  [/(?<=^|\s)\u2192(?=\S)/gu, "there "],
  [/(?<=\S)\s*\u2190(?=\S)/gu, ", back "],
  [/(?<=\S)\s*(?:\u2192|->)\s*(?=\S)/gu, " to "],
  [/(?<=\S)\s*\u2194\s*(?=\S)/gu, " with "],
  [/\s*\u00b7\s*/gu, ", "],
  [/\u2026/gu, "..."],
  [/(?<=\S)\s+!\s+(?=\S)/gu, ", "],
  [/\[x\] /gu, "on, "],
  [/\[ \] /gu, "off, "],
];
/** Boxes, bars, arrows, dots and other signs: each stands beside a word that says the same. */
const signs = /[\u2190-\u21ff\u2500-\u25ff\u2800-\u28ff\u2016\u2758-\u2775\p{So}\u2713\u2717\u25b8\u25be\u276f]/gu;
/** Signs of ASCII that stand for a state, before the word that says it. */
const leadingSigns = /^\s*[!?*]\s+(?=\S)/u;

/** A text as it is read aloud: no signs that are only to be seen, and no room between columns but a comma. */
export function words(text: string): string {
  let said = text;
  for (const [sign, word] of spelled) said = said.replace(sign, word);
  said = said.replace(leadingSigns, "").replace(signs, " ").replace(leadingSigns, "");
  return said
    .trim()
    .replaceAll(/(?<=[,:;])\s{2,}/g, " ")
    .replaceAll(/\s{2,}/g, ", ");
}

/** A line of a screen as it is read aloud. */
export function wordsOfLine(line: Line): string {
  return words(line.map(({ text }) => text).join(""));
}
