import { appendFile, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { boundLog } from "../../../../agent/engine/bounded-log.js";

let directory: string;
let path: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "zt-log-"));
  path = join(directory, "engine.log");
});

afterEach(async () => {
  await rm(directory, { recursive: true });
});

test("a log that is too long is emptied, and what was in it is kept once", async () => {
  await writeFile(`${path}.1`, "before");
  await writeFile(path, "0123456789");
  await boundLog(path, 9);
  await appendFile(path, "next");
  expect(await readFile(path, "utf8")).toBe("next");
  expect(await readFile(`${path}.1`, "utf8")).toBe("0123456789");
});

test("a log that is short enough, or is not there, is left alone", async () => {
  await boundLog(path, 9);
  expect(await readdir(directory)).toEqual([]);
  await writeFile(path, "012345678");
  await boundLog(path, 9);
  expect(await readFile(path, "utf8")).toBe("012345678");
  expect(await readdir(directory)).toEqual(["engine.log"]);
});
