import { inflateSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { toPng } from "../../../../../agent/drivers/libvirt/picture.js";

const pixels = Buffer.from([255, 0, 0, 0, 255, 0, 0, 0, 255, 9, 8, 7]);

describe("a picture that libvirt gives", () => {
  it("becomes PNG when it is a pixmap, with every pixel in its place", () => {
    const png = toPng(Buffer.concat([Buffer.from("P6\n2 2\n255\n"), pixels]));
    expect(png.toString("latin1", 1, 4)).toBe("PNG");
    expect([png.readUInt32BE(16), png.readUInt32BE(20)]).toEqual([2, 2]);
    const length = png.readUInt32BE(33);
    const rows = inflateSync(png.subarray(41, 41 + length));
    expect([...rows]).toEqual([0, ...pixels.subarray(0, 6), 0, ...pixels.subarray(6)]);
    expect(toPng(png)).toEqual(png);
  });

  it.each(["", "P6\n2 2\n255\n123", "P5\n1 1\n255\nx", "P6\n99999 99999\n255\n", "P6\n0 0\n255\n"])(
    "is refused as %j",
    (text) => {
      expect(() => toPng(Buffer.from(text))).toThrow("a form that is not known");
    },
  );
});
