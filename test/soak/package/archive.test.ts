import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it, onTestFinished } from "vitest";
import { run } from "../../../agent/host/exec.js";
import { runOwned } from "../../helpers/owned.js";
import { freshName } from "../../helpers/run-tag.js";
import { SmallDisk } from "../faults/small-disk.js";
import { installScript, makeDirectory, makePackages, readSummary, type Summary } from "./package-rig.js";

let place: Awaited<ReturnType<typeof makeDirectory>>;
let archive: string;
let summary: Summary;

beforeAll(async () => {
  place = await makeDirectory();
  [archive = ""] = await makePackages("archive", place.path);
  summary = await readSummary(archive);
}, 900_000);
afterAll(() => place[Symbol.asyncDispose]());

const install = (root: string, ...argv: readonly string[]) =>
  runOwned("sh", [installScript, ...argv], { env: { ROOT: root, HOME: "" }, timeoutMs: 300_000 });

it("the same sources give the same archive, which is small enough to be sent to every host", async () => {
  const second = join(place.path, "second");
  await mkdir(second);
  const [again = ""] = await makePackages("archive", second);
  expect(await readSummary(again)).toEqual(summary);
  expect(summary.bytes).toBeLessThan(80e6);
  await rm(second, { recursive: true });
});

it("a whole fleet runs from an unpacked archive, far from the sources", async () => {
  const root = join(place.path, "host");
  await mkdir(root);
  expect(await install(root, "install", archive)).toMatchObject({ exitCode: 0, stderr: "" });
  const zor = join(root, "opt/zorhub/current/zor");
  const demo = freshName();
  const env = { ZOR_DEMO: demo, ZOR_CONFIG: join(place.path, "config"), ZOR_CONTEXT: demo };
  const command = (...argv: readonly string[]) =>
    run(zor, argv, { env: { ...process.env, ...env }, timeoutMs: 300_000 });
  expect((await command("--help")).stdout).toContain("One fleet of lab hosts");
  expect((await command("doctor")).stdout).toContain("image.micro");
  onTestFinished(async () => {
    if (existsSync(zor)) await command("demo", "down");
  });
  // Machines and containers on two hosts, and pings between all of them over a link.
  const up = await command("demo", "up");
  expect(up.stdout.match(/5\/5 received/g)).toHaveLength(4);
  expect((await command("get", "instances")).stdout).toContain("box2");
  expect((await command("version")).stdout).toContain(summary.builds["hub"]);
  const used = (await install(root, "list")).stdout;
  expect(used).toMatch(new RegExp(`^${summary.id}\tcurrent\t\\d+(,\\d+)+$`));
  // Neither programs nor what outlives them may lose what they run from.
  expect(await install(root, "uninstall")).toMatchObject({ exitCode: 3 });
  await command("demo", "down");
  expect(await install(root, "list")).toMatchObject({ stdout: `${summary.id}\tcurrent\t-` });
  expect(await install(root, "uninstall")).toMatchObject({ exitCode: 0 });
});

it("a disk without room keeps the version that it has", async () => {
  await using disk = await SmallDisk.mount(600);
  const base = join(disk.directory, "opt/zorhub");
  expect(await install(disk.directory, "install", archive)).toMatchObject({ exitCode: 0 });
  // Little room, which is seen before anything is unpacked.
  await rm(join(base, "versions", summary.id, "zor"));
  await disk.fill(100);
  const refused = await install(disk.directory, "install", archive);
  expect(refused).toMatchObject({
    exitCode: 1,
    stderr: expect.stringMatching(/no space .* MiB are needed, \d+ MiB are free/),
  });
  expect(await readdir(join(base, "versions"))).toEqual([summary.id]);
  // Room enough at first, which somebody takes while it is unpacked.
  await disk.clear();
  await disk.fill(240);
  const filling = (async () => {
    const partial = join(base, `versions/.${summary.id}.partial/node_modules`);
    await expect.poll(() => readdir(partial).catch(() => [])).not.toEqual([]);
    await disk.fill(0);
  })();
  const [cut] = await Promise.all([install(disk.directory, "install", archive), filling]);
  expect(cut).toMatchObject({ exitCode: 1, stderr: expect.stringContaining("no space") });
  expect(await readdir(join(base, "versions"))).toEqual([summary.id]);
  await disk.clear();
  const mended = await install(disk.directory, "install", archive);
  expect(mended).toMatchObject({ exitCode: 0, stdout: expect.stringContaining("was damaged here") });
  expect(await readFile(join(base, "current/zor"), "utf8")).toContain("#!/bin/sh");
});
