import { createHash, randomBytes } from "node:crypto";
import { createReadStream } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { nodePath, installationRoot } from "../../../lib/program.js";
import { eventually } from "../../helpers/eventually.js";
import { spawnOwned } from "../../helpers/owned.js";
import { ReachRig } from "../../integration/reach/rig.js";

const bytes = 100 * 1024 * 1024;
let rig: ReachRig;
let file: string;
let digest: string;

beforeAll(async () => {
  rig = await ReachRig.start();
  await rig.create("c1", { crun: { rootfs: "micro" } });
  await rig.create("m1", { qemu: { accelerator: "ACCELERATOR_TCG", kernel: "micro" }, memoryMib: "512" });
  file = join(rig.directory, "noise");
  const noise = randomBytes(bytes);
  digest = createHash("sha256").update(noise).digest("hex");
  await writeFile(file, noise);
});
afterAll(async () => {
  await rig[Symbol.asyncDispose]();
});

it.each(["c1", "m1"])("carries 100 MB through a command in %s and back, and loses no byte", async (id) => {
  await rig.answers(id);
  const argv = [join(installationRoot, "dist/cli.cjs"), "exec", `zt/${id}`, "--", "cat"];
  // Not the rig's: that keeps all that a program says as text.
  const child = spawnOwned(nodePath, argv, { stdio: ["pipe", "pipe", "inherit"], env: { ...process.env, ...rig.env } });
  const { stdin, stdout } = child;
  if (stdin === null || stdout === null) throw new Error("it has no pipes");
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
  const hash = createHash("sha256");
  let count = 0;
  stdout.on("data", (data: Buffer) => {
    count += data.length;
    hash.update(data);
  });
  await pipeline(createReadStream(file), stdin);
  expect(await ended).toBe(0);
  expect(count).toBe(bytes);
  expect(hash.digest("hex")).toBe(digest);
  // The pipes of the command that looks are its own.
  await eventually(async () => expect(await rig.shell(id, "ls -d /run/zor-* 2>/dev/null | wc -l")).toMatch(/^[01]\n$/));
});
