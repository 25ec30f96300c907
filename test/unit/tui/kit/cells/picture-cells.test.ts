import { describe, expect, it } from "vitest";
import { trueColour } from "../../../../../tui/kit/cells/cell-line.js";
import { type Picture, PictureCells } from "../../../../../tui/kit/cells/picture-cells.js";
import { shadeOf } from "../../../../../tui/kit/cells/shade.js";

/** A picture whose pixels are what a function says. */
function picture(width: number, height: number, colour: (x: number, y: number) => number): Picture {
  return { width, height, mean: (left, top) => colour(left, top) };
}

const room = { columns: 80, rows: 20 };

describe("a picture in cells", () => {
  it("has two pixels in each, and is never larger than it is", () => {
    const lines = new PictureCells().draw(
      picture(3, 4, (x, y) => y * 16 + x),
      undefined,
      room,
    );
    expect(lines.map((line) => line.text())).toEqual(["▀▀▀", "▀▀▀"]);
    expect(lines[1]?.foreground[2]).toBe(trueColour(2 * 16 + 2));
    expect(lines[1]?.background[2]).toBe(trueColour(3 * 16 + 2));
  });

  it.each([
    [720, 400, 72, 20],
    [1024, 768, 53, 20],
    [4096, 100, 80, 1],
  ])("of %dx%d is made to fit: %dx%d", (width, height, columns, rows) => {
    const lines = new PictureCells().draw(
      picture(width, height, () => 0),
      undefined,
      room,
    );
    expect([lines[0]?.width, lines.length]).toEqual([columns, rows]);
  });

  it("draws anew what has changed, and keeps every other line as it is", () => {
    const cells = new PictureCells();
    let colour = 1;
    const shown = picture(10, 8, () => colour);
    const before = [...cells.draw(shown, undefined, room)];
    expect([...cells.draw(shown, undefined, room)]).toEqual(before);
    colour = 2;
    const after = cells.draw(shown, { x: 4, y: 2, width: 2, height: 2 }, room);
    expect(after.map((line, row) => line === before[row])).toEqual([true, false, true, true]);
    expect([...(after[1]?.foreground.slice(3, 7) ?? [])]).toEqual([1, 2, 2, 1].map(trueColour));
    const larger = cells.draw(
      picture(20, 8, () => 3),
      { x: 0, y: 0, width: 1, height: 1 },
      room,
    );
    expect([larger[0]?.width, larger[3]?.foreground[19]]).toEqual([20, trueColour(3)]);
  });
});

it.each([
  [0, 0, " "],
  [0xffffff, 0xffffff, "@"],
  [0xffffff, 0, "="],
])("%i above %i is %j without colours", (upper, lower, shade) => {
  expect(shadeOf(upper, lower)).toBe(shade);
});
