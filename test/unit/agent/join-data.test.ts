import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { findJoinData, type JoinData, saveJoinData } from "../../../agent/join-data.js";

const data: JoinData = {
  host: "alpha",
  hubAddresses: ["127.0.0.1:7440"],
  hubReverseAddresses: [],
  listen: ["127.0.0.1:7443"],
  underlay: [],
  dialOut: false,
  undialable: false,
};
let state: string;
beforeEach(async () => {
  state = await mkdtemp(join(tmpdir(), "zt-join-"));
});
afterEach(() => rm(state, { recursive: true, force: true }));

async function find(): Promise<{ readonly found: JoinData | undefined; readonly damages: string[] }> {
  const damages: string[] = [];
  return { found: await findJoinData(state, (damage) => damages.push(damage)), damages };
}

describe("what an agent remembers of joining", () => {
  it.each(["join.json", "join.bak.json"])(
    "survives damage of %s, which is set aside and written again",
    async (file) => {
      await saveJoinData(state, data);
      const good = await readFile(join(state, file), "utf8");
      await writeFile(join(state, file), good.slice(0, 20));
      expect(await find()).toEqual({ found: data, damages: [expect.stringContaining(join(state, file))] });
      expect(await readFile(join(state, file), "utf8")).toBe(good);
      expect((await readdir(state)).filter((name) => name.startsWith(`${file}.corrupt-`))).toHaveLength(1);
      expect(await find()).toEqual({ found: data, damages: [] });
    },
  );

  it("is taken from an agent that kept one file only", async () => {
    await writeFile(join(state, "join.json"), JSON.stringify(data));
    expect(await find()).toEqual({ found: data, damages: [] });
    expect(JSON.parse(await readFile(join(state, "join.bak.json"), "utf8"))).toEqual(data);
  });

  it("is nothing when both are damaged, or there never were any", async () => {
    expect(await find()).toEqual({ found: undefined, damages: [] });
    for (const file of ["join.json", "join.bak.json"]) await writeFile(join(state, file), "[]");
    expect((await find()).found).toBeUndefined();
  });
});
