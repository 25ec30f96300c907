import { describe, expect, it } from "vitest";
import { BadFraming, framed, MessageSplitter } from "../../../lib/grpc/message-splitter.js";

const messages = ["", "a", "x".repeat(300), "last"].map((text) => Buffer.from(text));
const bytes = Buffer.concat(messages.map(framed));

function split(chunks: readonly Buffer[], limit = 1000): string[] {
  const splitter = new MessageSplitter(limit);
  const taken: string[] = [];
  for (const chunk of chunks) splitter.push(chunk, (message) => taken.push(message.toString()));
  return taken;
}

describe("a splitter of messages", () => {
  it.each([1, 2, 3, 4, 5, 6, 7, 100, bytes.length])("gives every message whole, from pieces of %i bytes", (size) => {
    const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) =>
      bytes.subarray(at * size, (at + 1) * size),
    );
    expect(split(chunks)).toEqual(messages.map(String));
  });

  it("says whether a message is under way", () => {
    const splitter = new MessageSplitter(1000);
    splitter.push(framed(Buffer.from("abc")).subarray(0, 6), () => undefined);
    expect(splitter.isPartial).toBe(true);
    splitter.push(Buffer.from("bc"), () => undefined);
    expect(splitter.isPartial).toBe(false);
  });

  it("refuses a message above the limit as soon as its length is there, and a compressed one", () => {
    const large = framed(Buffer.alloc(1001));
    expect(() => split([large.subarray(0, 3), large.subarray(3, 5)])).toThrow(BadFraming);
    expect(() => split([Buffer.from([1, 0, 0, 0, 0])])).toThrow(/compressed/);
  });
});
