import { mkdir, mkdtemp, readFile, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { Remembered } from "../../../../tui/settings/remembered.js";
import { Settings } from "../../../../tui/settings/settings.js";
import { WatchedDirectory } from "../../../../tui/settings/watched-directory.js";

async function directory(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "zt-settings-"));
  onTestFinished(() => rm(path, { recursive: true, force: true }));
  return path;
}

describe("files of settings", () => {
  it("need not be there", async () => {
    const settings = new Settings(join(await directory(), "none"));
    expect(await settings.look()).toEqual([]);
    expect(settings.values.aliases).toEqual({});
  });

  it("are looked at again, and what is wrong names file, line and key and changes nothing", async () => {
    const path = await directory();
    const file = join(path, "aliases.yaml");
    const settings = new Settings(path);
    await writeFile(file, "web: instances /web\n");
    expect(await settings.look()).toEqual([]);
    expect(settings.values.aliases).toEqual({ web: "instances /web" });
    const { version } = settings;
    expect(await settings.look()).toEqual([]);
    expect(settings.version).toBe(version);
    await writeFile(file, "web: instances /web\nbad one: [1]\n");
    const [fault] = await settings.look();
    expect(fault).toMatch(/aliases\.yaml:2:\d+ bad one: .*until that is mended/s);
    expect(settings.values.aliases).toEqual({ web: "instances /web" });
    await expect(settings.put("aliases", ["x"], "y")).rejects.toThrow(/has faults/);
    expect(await readFile(file, "utf8")).toContain("bad one");
    await rm(file);
    expect(await settings.look()).toEqual([]);
    expect(settings.values.aliases).toEqual({});
  });

  it("keep comments and all other lines when something is put into them", async () => {
    const path = await directory();
    const file = join(path, "aliases.yaml");
    await writeFile(file, "# mine\nweb: instances /web # the shop\n");
    const settings = new Settings(path);
    await settings.look();
    await settings.put("aliases", ["db"], "instances /db");
    expect(settings.values.aliases).toEqual({ web: "instances /web", db: "instances /db" });
    expect(await readFile(file, "utf8")).toBe("# mine\nweb: instances /web # the shop\ndb: instances /db\n");
    expect(await settings.look()).toEqual([]);
    await settings.put("aliases", ["db"], undefined);
    expect(await readFile(file, "utf8")).toBe("# mine\nweb: instances /web # the shop\n");
  });
});

describe("a directory of settings that is watched", () => {
  function watched(path: string): WatchedDirectory {
    const ending = new AbortController();
    onTestFinished(() => ending.abort());
    return new WatchedDirectory(path, ending.signal);
  }

  it("is looked at once, and then when something in it has changed", async () => {
    const path = await directory();
    const seen = watched(path);
    expect(await seen.mayDiffer()).toBe(true);
    expect(await seen.mayDiffer()).toBe(false);
    await writeFile(join(path, "keys.yaml"), "details: d\n");
    await expect.poll(() => seen.mayDiffer()).toBe(true);
    await expect.poll(() => seen.mayDiffer()).toBe(false);
  });

  it("may come later, go, and be another one", async () => {
    const path = join(await directory(), "tui");
    const seen = watched(path);
    await seen.mayDiffer();
    expect(await seen.mayDiffer()).toBe(false);
    await mkdir(path);
    expect(await seen.mayDiffer()).toBe(true);
    await expect.poll(() => seen.mayDiffer()).toBe(false);
    await rename(path, `${path}.old`);
    await mkdir(path);
    await writeFile(join(path, "keys.yaml"), "");
    await expect.poll(() => seen.mayDiffer()).toBe(true);
    await expect.poll(() => seen.mayDiffer()).toBe(false);
    await writeFile(join(path, "keys.yaml"), "details: d\n");
    await expect.poll(() => seen.mayDiffer()).toBe(true);
    await rm(path, { recursive: true });
    await expect.poll(() => seen.mayDiffer()).toBe(true);
    await expect.poll(() => seen.mayDiffer()).toBe(false);
  });

  it("is always looked at when a file is somewhere else", async () => {
    const path = await directory();
    await symlink("/etc/hostname", join(path, "keys.yaml"));
    const seen = watched(path);
    for (let turn = 0; turn < 3; turn += 1) expect(await seen.mayDiffer()).toBe(true);
  });

  it("gives what files say", async () => {
    const path = await directory();
    const settings = new Settings(path);
    const ending = new AbortController();
    onTestFinished(() => ending.abort());
    settings.follow(ending.signal);
    await settings.look();
    await writeFile(join(path, "aliases.yaml"), "web: instances /web\n");
    await expect
      .poll(async () => [await settings.look(), settings.values.aliases])
      .toEqual([[], { web: "instances /web" }]);
  });
});

describe("what is remembered from run to run", () => {
  it("holds lines of several runs at a time, none twice, the newest first, and where each context was left", async () => {
    const file = join(await directory(), "deep", "tui.json");
    const [one, two] = [await Remembered.open(file), await Remembered.open(file)];
    await one.add("command", "hosts");
    await two.add("command", "lans");
    await one.add("command", "hosts");
    await one.add("filter", "web");
    await one.leave("demo", "instances alpha");
    const next = await Remembered.open(file);
    expect(next.lines("command")).toEqual(["hosts", "lans"]);
    expect(next.lines("filter")).toEqual(["web"]);
    expect(next.placeOf("demo")).toBe("instances alpha");
    expect(next.placeOf("other")).toBeUndefined();
  });

  it("is bounded, and what is damaged is as good as nothing", async () => {
    const file = join(await directory(), "tui.json");
    await writeFile(
      file,
      JSON.stringify({ commands: Array.from({ length: 900 }, (_, index) => `c${index}`), filters: 7 }),
    );
    const full = await Remembered.open(file);
    expect(full.lines("command")).toHaveLength(500);
    await full.add("command", "x".repeat(5000));
    expect(full.lines("command")[0]).toBe("c0");
    await writeFile(file, "{");
    expect((await Remembered.open(file)).lines("command")).toEqual([]);
  });
});
