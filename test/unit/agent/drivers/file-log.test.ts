import { appendFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { type FileDecoder, openFileLog, TimedLines } from "../../../../agent/drivers/file-log.js";
import type { OpenLog } from "../../../../lib/logs/open-log.js";
import { runTag } from "../../../helpers/run-tag.js";

let root: string;
let path: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), `${runTag}-l-`));
  path = join(root, "log");
});
afterEach(() => rm(root, { recursive: true, force: true }));

const open = (decoder: FileDecoder, signal = new AbortController().signal): Promise<OpenLog> =>
  openFileLog({
    ...{ path, decoder, maxPastBytes: 8192, hasEnded: async () => true },
    request: { follow: false, resume: undefined, signal },
  });

it("gives the end of what there is", async () => {
  await writeFile(path, Array.from({ length: 5000 }, (_, at) => `line ${at}\n`).join(""));
  const { past, close } = await open(new TimedLines());
  await close();
  expect(Buffer.from(past.at(-1)?.data ?? []).toString()).toBe("line 4999\n");
  expect(past.reduce((sum, { data }) => sum + data.length, 0)).toBeLessThanOrEqual(8192);
});

it("does not run after somebody who writes faster than it reads", async () => {
  await writeFile(path, "x\n");
  let reads = 0;
  const decoder: FileDecoder = {
    push: ({ data }) => {
      reads += 1;
      appendFileSync(path, Buffer.alloc(65_536, 10));
      return [{ data }];
    },
  };
  const { close } = await open(decoder);
  await close();
  expect(reads).toBeLessThan(10);
});

it("stops when nobody wants it any more", async () => {
  await writeFile(path, "x\n");
  await expect(open(new TimedLines(), AbortSignal.abort())).rejects.toThrow("aborted");
});

it("cuts a line that has no end", async () => {
  const decoder = new TimedLines();
  const longest = Math.max(
    ...Array.from({ length: 64 }, (_, at) => {
      const end = { file: "1", at: (at + 1) * 65_536 };
      return decoder.push({ data: Buffer.alloc(65_536, 120), end, isNew: at === 0 });
    })
      .flat()
      .map(({ data }) => data.length),
  );
  expect(longest).toBeLessThanOrEqual(1024 * 1024 + 65_536);
});
