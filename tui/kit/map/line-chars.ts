import type { Condition, MapLine } from "./role.js";

/** Lines that meet in a cell: two bits for each way, up first; 0 none, 1 light, 2 heavy, 3 double. */
export type Joint = number;

const weights: Readonly<Record<MapLine, number>> = { light: 1, heavy: 2, double: 3 };

/** The line that leaves a cell by a way: 0 up, 1 right, 2 down, 3 left. */
export function leaving(way: number, line: MapLine): Joint {
  return weights[line] << (way * 2);
}

/** Two cells on top of each other: of two lines by the same way the stronger one is seen. */
export function joined(left: Joint, right: Joint): Joint {
  let both = 0;
  for (let shift = 0; shift < 8; shift += 2) both |= Math.max((left >> shift) & 3, (right >> shift) & 3) << shift;
  return both;
}

// Up, right, down, left, with the weight of each, and the character of it (Unicode, box drawing).
const table: readonly (readonly [string, string])[] = [
  ["0101", "─"],
  ["1010", "│"],
  ["0110", "┌"],
  ["0011", "┐"],
  ["1100", "└"],
  ["1001", "┘"],
  ["1110", "├"],
  ["1011", "┤"],
  ["0111", "┬"],
  ["1101", "┴"],
  ["1111", "┼"],
  ["0202", "━"],
  ["2020", "┃"],
  ["0220", "┏"],
  ["0022", "┓"],
  ["2200", "┗"],
  ["2002", "┛"],
  ["2220", "┣"],
  ["2022", "┫"],
  ["0222", "┳"],
  ["2202", "┻"],
  ["2222", "╋"],
  ["0303", "═"],
  ["3030", "║"],
  ["0330", "╔"],
  ["0033", "╗"],
  ["3300", "╚"],
  ["3003", "╝"],
  ["3330", "╠"],
  ["3033", "╣"],
  ["0333", "╦"],
  ["3303", "╩"],
  ["3333", "╬"],
  ["1210", "┝"],
  ["1012", "┥"],
  ["0121", "┰"],
  ["2101", "┸"],
  ["1212", "┿"],
  ["2121", "╂"],
  ["2120", "┠"],
  ["2021", "┨"],
  ["0212", "┯"],
  ["1202", "┷"],
  ["1310", "╞"],
  ["1013", "╡"],
  ["0131", "╥"],
  ["3101", "╨"],
  ["1313", "╪"],
  ["3131", "╫"],
  ["3130", "╟"],
  ["3031", "╢"],
  ["0313", "╤"],
  ["1303", "╧"],
];

const characters: ReadonlyMap<Joint, string> = new Map(
  table.map(([digits, character]) => {
    const joint = [...digits].reduce((sum, digit, way) => sum | (Number(digit) << (way * 2)), 0);
    return [joint, character] as const;
  }),
);

const halves: ReadonlyMap<number, string> = new Map([
  [1, "│"],
  [2, "─"],
  [4, "│"],
  [8, "─"],
]);

const worn: Readonly<Record<Exclude<Condition, "whole">, Readonly<Record<string, string>>>> = {
  impaired: { "─": "┄", "│": "┆", "━": "┅", "┃": "┇", "═": "┅", "║": "┇" },
  broken: { "─": "╌", "│": "╎", "━": "╍", "┃": "╏", "═": "╍", "║": "╏" },
};

/** The character of a cell, one cell wide. What frames have to expect shows in straight lines. */
export function lineCharacter(joint: Joint, condition: Condition = "whole"): string {
  const character = characters.get(joint) ?? characters.get(leveled(joint)) ?? halves.get(waysOf(joint)) ?? " ";
  return condition === "whole" ? character : (worn[condition][character] ?? character);
}

/** The ways that lines leave by, one bit each. */
function waysOf(joint: Joint): number {
  return [0, 1, 2, 3].reduce((ways, way) => ways | (((joint >> (way * 2)) & 3) === 0 ? 0 : 1 << way), 0);
}

/** Lines of weights that no character has together, in one. */
function leveled(joint: Joint): Joint {
  const ways = [0, 1, 2, 3].filter((way) => ((joint >> (way * 2)) & 3) !== 0);
  const least = Math.min(...ways.map((way) => (joint >> (way * 2)) & 3));
  return ways.reduce((sum, way) => sum | (least << (way * 2)), 0);
}

/** Corners of what is no lan are round. */
export const roundCorners: Readonly<Record<string, string>> = { "┌": "╭", "┐": "╮", "└": "╰", "┘": "╯" };
