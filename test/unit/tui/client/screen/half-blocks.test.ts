import { describe, expect, it } from "vitest";
import { Framebuffer } from "../../../../../tui/client/screen/framebuffer.js";
import { coloursOf, HalfBlocks } from "../../../../../tui/client/screen/half-blocks.js";

const whole = (screen: Framebuffer) => ({ x: 0, y: 0, width: screen.width, height: screen.height });

function pictureOf(rows: readonly (readonly number[])[]): Framebuffer {
  const screen = new Framebuffer(rows[0]?.length ?? 0, rows.length);
  rows.forEach((row, y) => {
    const data = Buffer.alloc(row.length * 4);
    row.forEach((colour, x) => void data.writeUInt32LE(colour, x * 4));
    screen.putRow(0, y, data);
  });
  return screen;
}

describe("a screen in half blocks", () => {
  it("has two pixels in each cell, and draws only what differs", () => {
    const screen = pictureOf([
      [0xff0000, 0xff0000],
      [0x0000ff, 0x0000ff],
    ]);
    const blocks = new HalfBlocks({ columns: 80, rows: 24 }, "true");
    expect(blocks.draw(screen, whole(screen))).toBe("\x1b[0m\x1b[2J\x1b[1;1H\x1b[38;2;255;0;0;48;2;0;0;255m▀▀\x1b[0m");
    expect(blocks.draw(screen, whole(screen))).toBe("");
    screen.putRow(1, 0, Buffer.from([0, 255, 0, 0]));
    expect(blocks.draw(screen, { x: 1, y: 0, width: 1, height: 1 })).toBe(
      "\x1b[1;2H\x1b[38;2;0;255;0;48;2;0;0;255m▀\x1b[0m",
    );
  });

  it("is made smaller until it fits, and never leads out of the terminal", () => {
    const screen = new Framebuffer(1024, 768);
    const drawn = new HalfBlocks({ columns: 80, rows: 24 }, "none").draw(screen, whole(screen));
    const places = [...drawn.matchAll(/\x1b\[(\d+);(\d+)H( +)/g)].map(([, row, column, cells = ""]) => [
      Number(row),
      Number(column) + cells.length - 1,
    ]);
    expect(places).toHaveLength(24);
    // 1024x768 in 48 half rows is 64 columns wide.
    expect(places.at(-1)).toEqual([24, 64]);
  });

  it.each([
    [0x000000, 16],
    [0xffffff, 231],
    [0xff0000, 196],
    [0x808080, 244],
  ])("shows %i with the nearest of 256 colours", (colour, number) => {
    const screen = pictureOf([[colour], [colour]]);
    const drawn = new HalfBlocks({ columns: 1, rows: 1 }, "256").draw(screen, whole(screen));
    expect(drawn).toContain(`\x1b[38;5;${number};48;5;${number}m▀`);
  });

  it("has shades where there are no colours", () => {
    const screen = pictureOf([[0, 0x808080, 0xffffff]]);
    const drawn = new HalfBlocks({ columns: 80, rows: 24 }, "none").draw(screen, whole(screen));
    expect(drawn).toBe("\x1b[0m\x1b[2J\x1b[1;1H =@");
  });

  it("takes colours from the environment", () => {
    expect(coloursOf({ COLORTERM: "truecolor" })).toBe("true");
    expect(coloursOf({})).toBe("256");
    expect(coloursOf({ COLORTERM: "truecolor", NO_COLOR: "1" })).toBe("none");
  });
});
