import { expect, test } from "vitest";
import { Figure } from "../../../../../proto/gen/zor/v1/figures.js";
import { holdOf, toCells } from "../../../../../tui/kit/chart/cells.js";
import { blockRows, brailleRows, sparkline } from "../../../../../tui/kit/chart/charts.js";
import { drawCourses } from "../../../../../tui/kit/chart/marks.js";
import { hasBraille } from "../../../../../tui/kit/chart/has-braille.js";
import { figureText } from "../../../../../tui/kit/chart/figure-text.js";

test("bars go from nothing to the most, and what is not known is blank", () => {
  expect(sparkline([0, undefined, 5, 10, 20], 10)).toBe("▁ ▅██");
  expect(sparkline([0, 0], 0)).toBe("▁▁");
});

test("braille signs have two values each, and dots from the ground up", () => {
  expect(brailleRows([8, 0, 4, 8], 8, 2)).toEqual(["⡇⢸", "⣇⣿"]);
});

test("a value holds until the next one, and not over a gap", () => {
  const points = [
    { timeMs: 0, value: 4 },
    { timeMs: 1000, value: 8 },
    { timeMs: 8000, value: 2 },
  ];
  const cells = toCells(points, { startMs: 0, endMs: 10_000, count: 10, holdMs: 2000 });
  expect(cells.map((value) => (value === undefined ? "-" : Math.round(value)))).toEqual(
    [...[4, 8, 8], ...["-", "-", "-", "-", "-"], ...[2, 2]].map((value, index) => (index === 3 ? 8 : value)),
  );
  expect(holdOf(points)).toBeGreaterThan(10_000);
});

test.each([
  [Figure.FIGURE_CPU, 1500, "1.50 cores"],
  [Figure.FIGURE_CPU_OF_LIMIT, 123, "12.3%"],
  [Figure.FIGURE_MEMORY, 1536, "1.5K"],
  [Figure.FIGURE_NET_IN, 1536, "1.5K/s"],
  [Figure.FIGURE_NET_DROPS, 12, "12/s"],
  [Figure.FIGURE_LOAD, 152, "1.52"],
  [Figure.FIGURE_TEMPERATURE, 47_250, "47.3 °C"],
])("figure %d of %d is %s", (figure, value, expected) => {
  expect(figureText(figure, value)).toBe(expected);
});

test("rows of blocks fill from the bottom; what is known but nothing is the lowest", () => {
  expect(blockRows([undefined, 0, 50, 100], 100, 2)).toEqual(["   █", " ▁██"]);
  expect(blockRows([0, 0], 0, 1)).toEqual(["▁▁"]);
});

const drawn = (...given: Parameters<typeof drawCourses>): string[] =>
  drawCourses(...given).map((row) => row.map(({ text }) => text).join(""));

test("courses are lines over each other, of signs or of dots, with gaps where nothing is known", () => {
  const courses = [
    [0, 1, 2, 3],
    [3, undefined, 3, 3],
  ];
  expect(drawn(courses, { most: 3, rows: 4, hasDots: false })).toEqual(["+ ++", "  * ", " *  ", "*   "]);
  // The last of those that meet in a cell is seen.
  expect(
    drawn(
      [
        [0, 0],
        [0, 0],
      ],
      { most: 1, rows: 2, hasDots: false },
    ),
  ).toEqual(["  ", "++"]);
  expect(drawn([[0, 3, 1, 1]], { most: 3, rows: 1, hasDots: true })).toEqual(["⡸⠦"]);
  expect(drawCourses([[1], [2]], { most: 2, rows: 1, hasDots: true })[0]?.[0]?.course).toBeUndefined();
  expect(drawn([[]], { most: 0, rows: 1, hasDots: true })).toEqual([""]);
});

test("no braille on the console of Linux", () => {
  expect([hasBraille({ TERM: "linux" }), hasBraille({ TERM: "xterm-256color" }), hasBraille({})]).toEqual([
    false,
    true,
    true,
  ]);
});
