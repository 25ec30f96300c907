import { textWidth } from "./text-width.js";

const symbols: Readonly<Record<string, string>> = {
  "●": "*",
  "○": "o",
  "◐": "~",
  "◌": "?",
  "✗": "x",
  "·": "-",
  "→": ">",
  "←": "<",
  "↔": "=",
  "❯": ">",
  "▸": ">",
  "▾": "v",
  "◂": "<",
  "…": "~",
  "↑": "^",
  "↓": "v",
  "±": "~",
  "▪": "o",
  "≈": "~",
  "◑": "%",
  "▁": "_",
  "▂": ".",
  "▃": "-",
  "▄": "=",
  "▅": "+",
  "▆": "*",
  "▇": "%",
  "█": "#",
  "▏": ":",
  "▎": ":",
  "▍": ":",
  "▌": ":",
  "▋": ":",
  "▊": ":",
  "▉": ":",
};

/** Lines of boxes and cables. */
const lines: readonly (readonly [string, string])[] = [
  ["─", "-"],
  ["│┃║", "|"],
  ["━═", "="],
  ["┄┅", "~"],
  ["┆┇", ":"],
  ["╌╍", "."],
  ["╎╏", "."],
  ["┌┐└┘╭╮╰╯├┤┬┴┼┏┓┗┛┣┫┳┻╋╔╗╚╝╠╣╦╩╬┝┥┰┸┿╂┠┨┯┷╞╡╥╨╪╫╟╢╤╧", "+"],
];

const asciiOf: Readonly<Record<string, string>> = {
  ...symbols,
  ...Object.fromEntries(lines.flatMap(([characters, ascii]) => [...characters].map((each) => [each, ascii]))),
};

const nonAscii = /[^\x20-\x7e]/gu;

/** The same text in ASCII, as wide as it was: known symbols by a likeness, the rest as "?". */
export function toAscii(text: string): string {
  return text.replace(nonAscii, (character) => asciiOf[character] ?? "?".repeat(textWidth(character)));
}

/** What the console of Linux has in its usual font, code page 437: light and double lines, blocks, shades and arrows. */
const onConsole = new Set("─│┌┐└┘├┤┬┴┼═║╔╗╚╝╠╣╦╩╬╞╡╥╨╪╫╟╢╤╧░▒▓█▄▀▌▐■·→←↑↓↔±≈°²");
/** Lines that it does not have, by their nearest likeness. */
const likeLines: Readonly<Record<string, string>> = {
  ...{ "━": "─", "┃": "│", "╭": "┌", "╮": "┐", "╰": "└", "╯": "┘", "┏": "┌", "┓": "┐", "┗": "└", "┛": "┘" },
  ...{ "┣": "├", "┫": "┤", "┳": "┬", "┻": "┴", "╋": "┼", "●": "■" },
};

/** The same text with what the console of Linux can show, as wide as it was. */
export function toConsole(text: string): string {
  return text.replace(nonAscii, (character) => {
    if (onConsole.has(character)) return character;
    return likeLines[character] ?? toAscii(character);
  });
}
