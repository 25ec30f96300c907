import { describe, expect, it } from "vitest";
import { LvmThinBackend } from "../../../../../agent/storage/backends/lvm-thin.js";
import { parseLvs } from "../../../../../agent/storage/backends/lvm-report.js";
import { type Answer, poolOf, scriptedTools, volumeOf } from "../scripted-tools.js";

const pool = poolOf({ $case: "lvmThin", value: { volumeGroup: "vg0", thinPool: "thin" } });
const volume = volumeOf();
const lvs =
  "lvs --reportformat json --units b --nosuffix --options lv_name,lv_size,segtype,pool_lv,lv_tags,data_percent,zero,lv_active --select lv_name=";

/** As lvs of LVM 2.03 prints them. */
function lv(facts: Record<string, string>): string {
  const usual = { lv_name: "", lv_size: "0", segtype: "thin", pool_lv: "thin", lv_tags: "zor" };
  const rest = { data_percent: "25.50", zero: "zero", lv_active: "active" };
  return JSON.stringify({ report: [{ lv: [{ ...usual, ...rest, ...facts }] }] });
}
const none = JSON.stringify({ report: [{ lv: [] }] });
const thin = lv({ lv_name: "thin", lv_size: "67108864", segtype: "thin-pool", pool_lv: "", lv_tags: "" });

function backendWith(answers: Readonly<Record<string, Answer>>) {
  const tools = scriptedTools((tool, argv) => {
    const name = tool === "lvs" ? (argv.find((word) => word.startsWith("lv_name=")) ?? "").slice(8) : tool;
    return answers[name] ?? (tool === "lvs" ? none : "");
  });
  return { backend: new LvmThinBackend({ policy: [{ volumeGroup: "vg0" }], run: tools.run }), calls: tools.calls };
}

describe("a pool of LVM", () => {
  it("makes a thin volume that bears its mark", async () => {
    const { backend, calls } = backendWith({});
    await backend.create(pool, volume);
    expect(calls).toEqual([
      `${lvs}zor-0b9e-77 vg0`,
      "lvcreate --yes --wipesignatures n --type thin --virtualsize 104857600b --thinpool thin --name zor-0b9e-77 --addtag zor --setactivationskip n vg0",
    ]);
  });

  it("grows it, unless whole extents have made it large enough already", async () => {
    const { backend, calls } = backendWith({ "zor-0b9e-77": lv({ lv_name: "zor-0b9e-77", lv_size: "104857600" }) });
    await backend.resize(pool, volume, 104_857_600n);
    expect(calls).toHaveLength(1);
    await backend.resize(pool, volume, 209_715_200n);
    expect(calls.at(-1)).toBe("lvextend --size 209715200b vg0/zor-0b9e-77");
  });

  it("hands on its device, which it makes appear where it is not", async () => {
    const off = backendWith({ "zor-0b9e-77": lv({ lv_name: "zor-0b9e-77", lv_active: "" }) });
    expect(await off.backend.source(pool, volume)).toEqual({ kind: "device", path: "/dev/vg0/zor-0b9e-77" });
    expect(off.calls.at(-1)).toBe("lvchange --activate y --ignoreactivationskip vg0/zor-0b9e-77");
    const on = backendWith({ "zor-0b9e-77": lv({ lv_name: "zor-0b9e-77" }) });
    await on.backend.source(pool, volume);
    expect(on.calls).toHaveLength(1);
  });

  it("removes it, and does not mind that it is gone", async () => {
    const there = backendWith({ "zor-0b9e-77": lv({ lv_name: "zor-0b9e-77" }) });
    await there.backend.remove(pool, volume);
    expect(there.calls.at(-1)).toBe("lvremove --yes vg0/zor-0b9e-77");
    const gone = backendWith({});
    await gone.backend.remove(pool, volume);
    expect(gone.calls).toHaveLength(1);
  });

  it.each([
    ["has no mark", { lv_tags: "" }],
    ["has another mark", { lv_tags: "backup,zorro" }],
    ["is in another thin pool", { pool_lv: "other" }],
    ["is no thin volume", { segtype: "linear", pool_lv: "" }],
  ])("lets alone what %s", async (_what, facts) => {
    const { backend, calls } = backendWith({ "zor-0b9e-77": lv({ lv_name: "zor-0b9e-77", ...facts }) });
    for (const touch of [
      () => backend.remove(pool, volume),
      () => backend.resize(pool, volume, 10n ** 12n),
      () => backend.source(pool, volume),
      () => backend.create(pool, volume),
    ]) {
      await expect(touch()).rejects.toThrow(
        "hosts/h/volumes/v: the logical volume zor-0b9e-77 is not what the agent made",
      );
    }
    expect(calls.every((call) => call.startsWith("lvs "))).toBe(true);
  });

  it("tells what it has and what of that is free", async () => {
    const { backend } = backendWith({ thin });
    expect(await backend.capacity(pool)).toEqual({ totalBytes: 67_108_864n, freeBytes: 49_996_104n });
  });

  it.each([
    ["there is none", none, "there is no vg0/thin; make it with: lvcreate"],
    ["it is none", lv({ lv_name: "thin", segtype: "linear" }), 'vg0/thin is no thin pool ("linear")'],
    [
      "it shows old blocks",
      thin.replace('"zero":"zero"', '"zero":""'),
      "have it zero them: lvchange --zero y vg0/thin",
    ],
    ["lvs says nonsense", "<html>", "lvs has answered something that it should not"],
    ["lvs says other JSON", JSON.stringify({ report: [] }), "lvs has answered something that it should not"],
    ["a size is none", thin.replace("67108864", "-1"), "lvs has answered something that it should not"],
  ])("says what is wrong with its thin pool when %s", async (_what, answer, words) => {
    const { backend } = backendWith({ thin: answer });
    await expect(backend.capacity(pool)).rejects.toThrow(words);
  });

  it("takes no volume for another one, whatever lvs answers", async () => {
    const { backend } = backendWith({ "zor-0b9e-77": lv({ lv_name: "precious" }) });
    await backend.remove(pool, volume);
    await expect(backend.source(pool, volume)).rejects.toThrow("is not in vg0/thin any more");
  });

  it("refuses names that are none, and groups that the settings do not have", async () => {
    const { backend } = backendWith({});
    const check = (volumeGroup: string, thinPool: string) =>
      backend.check({ description: "", backend: { $case: "lvmThin", value: { volumeGroup, thinPool } } });
    await check("vg0", "thin");
    await expect(check("vg1", "thin")).rejects.toThrow("storagePools");
    for (const name of ["", "-y", "a/b", "a b", "a\nb", "--help", "ü"]) {
      await expect(check("vg0", name)).rejects.toThrow("pool.spec.lvm_thin.thin_pool");
      await expect(check(name, "thin")).rejects.toThrow("pool.spec.lvm_thin.volume_group");
    }
  });
});

it("reads of a report what it can and refuses the rest", () => {
  expect(parseLvs("")).toBeUndefined();
  expect(parseLvs("[]")).toBeUndefined();
  expect(parseLvs(none)).toEqual([]);
  expect(parseLvs(lv({ lv_name: "[thin_tdata]", data_percent: "" }))?.[0]).toMatchObject({
    name: "thin_tdata",
    dataPercent: 0,
  });
  expect(parseLvs(lv({ data_percent: "1e9" }))).toBeUndefined();
});
