import { expect, it } from "vitest";
import { writeSparse } from "../../../../lib/tree/write-sparse.js";

/** A file on a disk that takes at most `most` bytes at once and is full after `free`. */
function file(most: number, free: number) {
  const written: [number, number][] = [];
  const write = (_data: Buffer, _from: number, length: number, position: number) => {
    const bytesWritten = Math.min(length, most, free);
    if (bytesWritten === 0) return Promise.reject(Object.assign(new Error("full"), { code: "ENOSPC" }));
    free -= bytesWritten;
    written.push([position, bytesWritten]);
    return Promise.resolve({ bytesWritten, buffer: _data });
  };
  return { written, handle: { write } as never };
}

it("writes all where the system takes a part at a time", async () => {
  const { written, handle } = file(40_000, 1_000_000);
  await writeSparse(handle, Buffer.alloc(100_000, 1), 10);
  expect(written).toEqual([
    [10, 40_000],
    [40_010, 25_526],
    [65_536, 34_474],
  ]);
});

it("says that the disk is full though the last piece went there in part", async () => {
  const { handle } = file(65_536, 70_000);
  await expect(writeSparse(handle, Buffer.alloc(100_000, 1), 0)).rejects.toMatchObject({ code: "ENOSPC" });
});

it("leaves holes where there is nothing but zeros, by pieces of the file and not of what comes", async () => {
  const { written, handle } = file(65_536, 1_000_000);
  const data = Buffer.alloc(200_000);
  data[0] = 1;
  await writeSparse(handle, data, 65_000);
  expect(written).toEqual([[65_000, 536]]);
});
