import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { RecordFile } from "../../../../agent/engine/record-file.js";
import type { Codec } from "../../../../agent/engine/protocol/codec.js";

const codec: Codec<{ name: string }> = {
  fromJSON: (json) => {
    if (!("name" in json) || typeof json.name !== "string") throw new Error("a thing has no name");
    return { name: json.name };
  },
  toJSON: (thing) => thing,
};
let directory: string;
let file: RecordFile<{ name: string }>;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "zt-rec-"));
  file = new RecordFile({ directory, kind: "things", codec });
});

afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

test("where there is no file yet there are no records", async () => {
  expect(await file.load()).toEqual({ records: [], warning: undefined });
});

test("what was saved last is read", async () => {
  await Promise.all([[{ name: "a" }], [{ name: "b" }, { name: "c" }]].map((records) => file.save(records)));
  expect(await file.load()).toEqual({ records: [{ name: "b" }, { name: "c" }], warning: undefined });
  const text = await readFile(join(directory, "things.json"), "utf8");
  expect(JSON.parse(text)).toEqual({ version: 2, things: [{ name: "b" }, { name: "c" }] });
});

test.each([
  ["no JSON", "{"],
  ["no object", "null"],
  ["another version", '{"version":1,"things":[]}'],
  ["no list", '{"version":2}'],
  ["a damaged record", '{"version":2,"things":[{"name":1}]}'],
])("a file with %s is set aside, with a warning that names it", async (_what, text) => {
  await writeFile(join(directory, "things.json"), text);
  const { records, warning } = await file.load();
  expect(records).toEqual([]);
  const [aside = ""] = await readdir(directory);
  expect(aside).toMatch(/^things\.json\.corrupt-/);
  expect(warning).toContain(aside);
  expect(await readFile(join(directory, aside), "utf8")).toBe(text);
});

test("a save that fails says so, and the next one is not kept from being made", async () => {
  await rm(directory, { recursive: true });
  await expect(file.save([{ name: "a" }])).rejects.toThrow(/ENOENT/);
  await mkdir(directory);
  await file.save([{ name: "b" }]);
  expect((await file.load()).records).toEqual([{ name: "b" }]);
});
