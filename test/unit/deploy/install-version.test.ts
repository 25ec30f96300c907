import { lstat, readFile, readlink } from "node:fs/promises";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { spawnOwned } from "../../helpers/owned.js";
import { makeVersion, standInHost, versionsIn } from "../../helpers/packaged-version.js";

it("a version is unpacked, verified, made current, and the second time nothing is done", async () => {
  const { root, base, made, install, current } = await standInHost();
  const one = await makeVersion(made, "one");
  const first = await install("install", one.archive);
  expect(first).toMatchObject({ exitCode: 0, stderr: "" });
  expect(await current()).toBe(`versions/${one.id}`);
  expect(await versionsIn(base)).toEqual([one.id]);
  expect(await readlink(join(root, "usr/local/bin/zor"))).toBe("/opt/zorhub/current/zor");
  expect(await readFile(join(root, "etc/systemd/system/zor-agent.service"), "utf8")).toContain("current/zor agent");
  expect((await lstat(join(base, "current/zor"))).mode & 0o777).toBe(0o755);
  const second = await install("install", one.archive);
  expect(second.stdout).toBe(`version ${one.id} is installed already\nversion ${one.id} is current already`);
  expect((await install("install", one.directory)).stdout).toBe(second.stdout);
});

it("a version that something runs from stays", async () => {
  const { base, made, install } = await standInHost();
  const [one, two, three] = [
    await makeVersion(made, "one"),
    await makeVersion(made, "two"),
    await makeVersion(made, "three"),
  ];
  for (const each of [one, two, three]) await install("install", each.archive);
  const child = spawnOwned("sh", [join(base, "versions", one.id, "node_modules/.bin/node")], {
    stdio: ["pipe", "pipe", "pipe"],
  });
  onTestFinished(() => void child.kill());
  await expect.poll(async () => (await install("list")).stdout).toContain(`${one.id}\t-\t${child.pid}`);
  expect(await install("remove", one.id)).toMatchObject({
    exitCode: 3,
    stderr: expect.stringContaining(`processes ${child.pid}`),
  });
  expect((await install("prune")).stdout).toContain(`version ${one.id} stays`);
  expect(await install("uninstall")).toMatchObject({ exitCode: 3 });
  expect(await versionsIn(base)).toContain(one.id);
});
