import { createHash, hash } from "node:crypto";
import { expect, it } from "vitest";
import { chunkBytes, firstChunkLength } from "../../../../agent/images/chunker.js";
import { noise } from "../../../helpers/image-imports.js";

function chunksOf(bytes: Buffer): { readonly length: number; readonly sha256: string }[] {
  const chunks = [];
  for (let at = 0; at < bytes.length; ) {
    const length = firstChunkLength(bytes.subarray(at, at + chunkBytes.most));
    chunks.push({ length, sha256: hash("sha256", bytes.subarray(at, at + length), "hex") });
    at += length;
  }
  return chunks;
}

const bytes = noise("chunks", 24 * 1024 * 1024);

it("makes chunks of about the usual length, none outside the bounds but the last", () => {
  const lengths = chunksOf(bytes).map(({ length }) => length);
  expect(lengths.reduce((sum, length) => sum + length, 0)).toBe(bytes.length);
  expect(Math.max(...lengths)).toBeLessThanOrEqual(chunkBytes.most);
  expect(Math.min(...lengths.slice(0, -1))).toBeGreaterThanOrEqual(chunkBytes.least);
  const average = bytes.length / lengths.length;
  expect(average).toBeGreaterThan(chunkBytes.usual / 2);
  expect(average).toBeLessThan(chunkBytes.usual * 2);
});

it("finds the same borders again after something was inserted, and on every host", () => {
  const before = new Set(chunksOf(bytes).map(({ sha256 }) => sha256));
  const at = 10 * 1024 * 1024 + 77;
  const after = chunksOf(Buffer.concat([bytes.subarray(0, at), Buffer.from("a few bytes more"), bytes.subarray(at)]));
  expect(after.filter(({ sha256 }) => !before.has(sha256)).length).toBeLessThanOrEqual(3);
  // Other borders would share no chunks with what hosts have stored.
  const borders = chunksOf(bytes).map(({ length }) => length);
  expect(createHash("sha256").update(borders.join(" ")).digest("hex").slice(0, 16)).toMatchInlineSnapshot(
    `"7103604f5bf4e090"`,
  );
});

it("takes what is all the same in the longest chunks", () => {
  expect(firstChunkLength(Buffer.alloc(chunkBytes.most))).toBe(chunkBytes.most);
  expect(firstChunkLength(Buffer.alloc(10))).toBe(10);
});
