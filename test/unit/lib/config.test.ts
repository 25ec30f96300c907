import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { loadConfig } from "../../../lib/config.js";

const schema = z.strictObject({
  listen: z.array(z.string()).default(["127.0.0.1:1"]),
  limits: z.strictObject({ memoryMib: z.number().int().positive() }).default({ memoryMib: 64 }),
});
let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "zt-config-"));
});
afterAll(() => rm(directory, { recursive: true }));

async function load(yaml: string, more: { flags?: Record<string, unknown>; env?: Record<string, unknown> } = {}) {
  const file = join(directory, "c.yaml");
  await writeFile(file, yaml);
  return loadConfig(schema, { file, ...more });
}

describe("settings", () => {
  it("come from flags before environment before file before defaults", async () => {
    const yaml = "listen: [file]\nlimits: { memoryMib: 1 }\n";
    expect(await load(yaml)).toEqual({ listen: ["file"], limits: { memoryMib: 1 } });
    expect(await load(yaml, { env: { listen: ["env"] } })).toMatchObject({ listen: ["env"] });
    expect(await load(yaml, { env: { listen: ["env"] }, flags: { listen: ["flag"] } })).toMatchObject({
      listen: ["flag"],
    });
    expect(await load("", { flags: { listen: undefined } })).toEqual({
      listen: ["127.0.0.1:1"],
      limits: { memoryMib: 64 },
    });
  });

  it.each([
    ["a key that is not known", "listen: [a]\nlisten2: b\n", /c\.yaml:2:\d+ listen2: unknown setting/],
    ["a value of the wrong type", "limits:\n  memoryMib: lots\n", /c\.yaml:2:14 limits\.memoryMib: /],
    ["a file cut off in the middle", 'listen: ["a\n', /c\.yaml:\d+:\d+: /],
    ["a list where settings belong", "- a\n", /c\.yaml:1:1: /],
    [
      "aliases that multiply",
      `a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [${"*a,".repeat(9)}]\nc: &c [${"*b,".repeat(9)}]\nd: [${"*c,".repeat(9)}]\n`,
      /alias/i,
    ],
  ])("with %s are refused with the place", async (_, yaml, message) => {
    await expect(load(yaml)).rejects.toThrow(message);
  });

  it("that do not exist are refused with the file's name", async () => {
    await expect(loadConfig(schema, { file: join(directory, "none.yaml") })).rejects.toThrow(
      /none\.yaml: cannot be read/,
    );
  });
});
