import { chmod, chown, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { status } from "@grpc/grpc-js";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { run } from "../../../../../agent/host/exec.js";
import { ImageBuilder } from "../../../../../agent/kinds/image/build.js";

let root: string;
let program: string;
let builder: ImageBuilder;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "zt-recipes-"));
  await mkdir(join(root, "recipes", "lab"), { recursive: true });
  program = join(root, "recipes", "lab", "build");
  await writeFile(join(root, "outside"), "#!/bin/sh\n", { mode: 0o755 });
  const options = { scope: { host: "h1" } } as ConstructorParameters<typeof ImageBuilder>[0];
  builder = new ImageBuilder(options, [join(root, "recipes")]);
});

afterEach(async () => {
  await rm(root, { recursive: true });
});

const write = (): Promise<void> => writeFile(program, "#!/bin/sh\n", { mode: 0o755 });

describe("a recipe", () => {
  it("is found as it should be, also by a link within the recipes", async () => {
    await write();
    expect(await builder.find("lab")).toEqual({ name: "lab", program });
    await symlink("lab", join(root, "recipes", "same"));
    expect(await builder.find("same")).toEqual({ name: "same", program });
  });

  it.each<readonly [string, () => Promise<unknown>]>([
    ["is a link out of the recipes", () => symlink(join(root, "outside"), program)],
    ["is a link to itself", () => symlink(program, program)],
    ["is a link to a device", () => symlink("/dev/zero", program)],
    ["is a directory", () => mkdir(program)],
    ["is a pipe that nobody writes to", () => run("mkfifo", [program])],
    ["others may write to", () => write().then(() => chmod(program, 0o757))],
    ["is somebody else's", () => write().then(() => chown(program, 65534, 65534))],
    ["cannot be executed", () => write().then(() => chmod(program, 0o600))],
  ])("is not run whose program %s, and the host's paths are not told", async (_what, make) => {
    await make();
    const refused = builder.find("lab");
    await expect(refused).rejects.toMatchObject({
      code: expect.toSatisfy((code) => [status.INVALID_ARGUMENT, status.FAILED_PRECONDITION].includes(code)),
      message: expect.stringContaining("lab"),
    });
    await expect(refused).rejects.not.toMatchObject({ message: expect.stringContaining(root) });
  });

  it.each(["../outside", "/etc", "..", "", "-x", "a\nb"])("has a name: not %j", async (name) => {
    await expect(builder.find(name)).rejects.toMatchObject({ violations: [{ field: "recipe" }] });
  });
});
