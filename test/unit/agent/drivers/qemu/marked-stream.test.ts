import { describe, expect, it } from "vitest";
import { MarkedStream } from "../../../../../agent/drivers/qemu/marked-stream.js";

const mark = "abcabd";

/** What comes before the mark and behind it, when the text is cut into pieces of this size. */
function read(text: string, size: number): { data: string; rest: string | undefined } {
  const stream = new MarkedStream(mark);
  let data = "";
  let rest: string | undefined;
  for (let at = 0; at < text.length; at += size) {
    const piece = stream.push(Buffer.from(text.slice(at, at + size)));
    data += piece.data.toString();
    rest = piece.rest?.toString();
  }
  return { data: data + stream.flush().toString(), rest };
}

describe("the mark that ends a stream", () => {
  it.each([
    [`some output${mark}`, { data: "some output", rest: "" }],
    [`${mark}0\n`, { data: "", rest: "0\n" }],
    ["abcabcabd0\n", { data: "abc", rest: "0\n" }],
    [`aabcabxabcab${mark}137\n`, { data: "aabcabxabcab", rest: "137\n" }],
    ["output without it, abcab", { data: "output without it, abcab", rest: undefined }],
    ["", { data: "", rest: undefined }],
  ])("is found in %j, however that is cut", (text, expected) => {
    for (let size = 1; size <= Math.max(1, text.length); size += 1) expect(read(text, size)).toEqual(expected);
  });

  it("holds nothing back that cannot be its beginning", () => {
    const stream = new MarkedStream(mark);
    expect(stream.push(Buffer.from("xyabc")).data.toString()).toBe("xy");
    expect(stream.push(Buffer.from("abz")).data.toString()).toBe("abcabz");
  });
});
