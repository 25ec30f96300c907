import { appendFile, lstat, mkdir, readFile, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type MadeVersion, makeVersion, standInHost, versionsIn } from "../../helpers/packaged-version.js";

describe("install", () => {
  it("takes a directory, and leaves what is current where that is wanted", async () => {
    const { base, made, install, current } = await standInHost();
    const [one, two] = [await makeVersion(made, "one"), await makeVersion(made, "two")];
    expect(await install("install", one.directory)).toMatchObject({ exitCode: 0 });
    expect(await install("install", two.directory, "--no-switch")).toMatchObject({ exitCode: 0 });
    expect(await current()).toBe(`versions/${one.id}`);
    expect((await versionsIn(base)).sort()).toEqual([one.id, two.id].sort());
  });

  it("puts a damaged version right, and removes what was cut off", async () => {
    const { base, made, install } = await standInHost();
    const one = await makeVersion(made, "one");
    await install("install", one.archive);
    await appendFile(join(base, "versions", one.id, "zor"), "echo changed\n");
    await mkdir(join(base, "versions/.0.0.1-0123456789abcdef.partial"));
    expect((await install("install", one.archive)).stdout).toContain(`was damaged here (damaged: zor)`);
    expect(await readFile(join(base, "versions", one.id, "zor"), "utf8")).toBe("#!/bin/sh\n");
    expect(await versionsIn(base)).toEqual([one.id]);
  });

  const spoilt: readonly [string, "directory" | "archive", (one: MadeVersion) => Promise<void>, string][] = [
    ["a file that was changed", "directory", (one) => appendFile(join(one.directory, "zor"), "x"), "damaged: zor"],
    [
      "a further file",
      "directory",
      (one) => writeFile(join(one.directory, "more"), ""),
      "has not the files that it lists",
    ],
    ["a link", "directory", (one) => symlink("/etc/passwd", join(one.directory, "link")), "holds links"],
    ["a list with more in it", "directory", (one) => appendFile(join(one.directory, "SHA256SUMS"), "x"), "damaged"],
    ["an archive cut off", "archive", (one) => truncate(one.archive, 300), "archive"],
    ["what is no archive", "archive", (one) => writeFile(one.archive, "no"), "no archive of Zorhub"],
    ["what is not there", "archive", (one) => rm(one.archive), "there is no /"],
  ];
  it.each(spoilt)("refuses %s and changes nothing", async (_name, what, spoil, says) => {
    const { base, made, install } = await standInHost();
    const one = await makeVersion(made, "one");
    await spoil(one);
    const result = await install("install", one[what]);
    expect(result).toMatchObject({ exitCode: 1, stderr: expect.stringContaining(says) });
    expect(await versionsIn(base).catch(() => [])).toEqual([]);
    await expect(lstat(join(base, "current"))).rejects.toThrow("ENOENT");
  });

  it("refuses another architecture, a checkout and Debian packages", async () => {
    const { root, base, made, install } = await standInHost();
    const foreign = await makeVersion(made, "foreign", { arch: "riscv64" });
    expect((await install("install", foreign.archive)).stderr).toContain("this version is for riscv64");
    await mkdir(join(base, ".git"));
    const one = await makeVersion(made, "one");
    expect((await install("install", one.archive)).stderr).toContain(`mv ${base} ${base}-checkout`);
    await rm(join(base, ".git"), { recursive: true });
    await mkdir(join(root, "var/lib/dpkg/info"), { recursive: true });
    await writeFile(join(root, "var/lib/dpkg/info/zorhub-common.list"), "");
    expect((await install("install", one.archive)).stderr).toContain("apt-get remove zorhub-common");
  });

  it("keeps a unit that somebody changed, and a launcher that is somebody else's", async () => {
    const { root, made, install } = await standInHost();
    const unit = join(root, "etc/systemd/system/zor-agent.service");
    await mkdir(join(root, "etc/systemd/system"), { recursive: true });
    await mkdir(join(root, "usr/local/bin"), { recursive: true });
    await writeFile(unit, "[Service]\nExecStart=/opt/zorhub/zor agent run\n");
    await writeFile(join(root, "usr/local/bin/zor"), "mine");
    const one = await makeVersion(made, "one");
    const said = (await install("install", one.archive)).stdout;
    expect(said).toContain("zor-agent.service.saved");
    expect(said).toContain("somebody else's and stays");
    expect(await readFile(`${unit}.saved`, "utf8")).toContain("/opt/zorhub/zor agent");
    expect(await readFile(join(root, "usr/local/bin/zor"), "utf8")).toBe("mine");
    // One of an older version is simply replaced.
    const two = await makeVersion(made, "two", { unit: "Nice=1\n" });
    await rm(`${unit}.saved`);
    expect((await install("install", two.archive)).stdout).not.toContain("saved");
    expect(await readFile(unit, "utf8")).toContain("Nice=1");
  });

  it("lets one at a time work", async () => {
    const { base, made, install } = await standInHost();
    const [one, two] = [await makeVersion(made, "one"), await makeVersion(made, "two")];
    const both = await Promise.all([install("install", one.archive), install("install", two.archive)]);
    expect(both.map(({ exitCode }) => exitCode)).toEqual([0, 0]);
    expect((await versionsIn(base)).sort()).toEqual([one.id, two.id].sort());
    expect(await install("list")).toMatchObject({ stdout: expect.stringMatching(/current\t-/) });
  });
});

it("switch, rollback and remove go back and forth, and remove what nobody needs", async () => {
  const { base, made, install, current } = await standInHost();
  const [one, two, three] = [
    await makeVersion(made, "one"),
    await makeVersion(made, "two"),
    await makeVersion(made, "three"),
  ];
  for (const each of [one, two, three]) await install("install", each.archive);
  expect((await install("list")).stdout.split("\n").sort()).toEqual(
    [`${one.id}\t-\t-`, `${two.id}\tprevious\t-`, `${three.id}\tcurrent\t-`].sort(),
  );
  expect(await install("rollback")).toMatchObject({ exitCode: 0 });
  expect(await current()).toBe(`versions/${two.id}`);
  expect(await install("switch", one.id)).toMatchObject({ exitCode: 0 });
  expect(await current()).toBe(`versions/${one.id}`);
  expect(await install("remove", one.id)).toMatchObject({
    exitCode: 3,
    stderr: expect.stringContaining("is current"),
  });
  expect(await install("prune")).toMatchObject({ exitCode: 0, stdout: `removed version ${three.id}` });
  expect(await install("remove", two.id)).toMatchObject({ exitCode: 0 });
  expect(await versionsIn(base)).toEqual([one.id]);
  expect(await install("rollback")).toMatchObject({
    exitCode: 1,
    stderr: expect.stringContaining("no version to go back to"),
  });
  expect(await install("switch", two.id)).toMatchObject({
    exitCode: 1,
    stderr: expect.stringContaining("is not installed"),
  });
  expect(await install("switch", "../../etc")).toMatchObject({ exitCode: 2 });
  expect(await install("uninstall")).toMatchObject({ exitCode: 0 });
  await expect(lstat(base)).rejects.toThrow("ENOENT");
});

it("says what is wrong with a command line", async () => {
  const { install } = await standInHost();
  for (const argv of [
    ["install"],
    ["list", "x"],
    ["switch"],
    ["rollback", "--no-switch"],
    ["fly"],
    [],
    ["switch", "a", "b"],
  ]) {
    expect(await install(...argv), argv.join(" ")).toMatchObject({ exitCode: 2 });
  }
  const help = (await install("--help")).stdout;
  expect(Math.max(...help.split("\n").map((line) => line.length))).toBeLessThanOrEqual(80);
});
