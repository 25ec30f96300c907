import { chmod, cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { run } from "../../../agent/host/exec.js";

const script = "deploy/guest-image/build.sh";
const built = "/var/lib/zor/images/micro";

describe("the build of the micro guest image", () => {
  let root: string;
  let output: string;

  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), "zt-"));
    output = join(root, "micro");
    await cp(built, output, { recursive: true });
    await mkdir(join(root, "bin"));
    // Stands for a machine without network.
    await writeFile(join(root, "bin", "apt-get"), "#!/bin/sh\necho 'E: no network' >&2\nexit 100\n");
    await chmod(join(root, "bin", "apt-get"), 0o755);
  });
  afterAll(() => rm(root, { recursive: true, force: true }));

  const build = (exitCode: number) =>
    run("bash", [script, "--output", output], {
      acceptedExitCodes: [exitCode],
      env: { PATH: `${join(root, "bin")}:${process.env["PATH"] ?? ""}`, TMPDIR: root },
    });

  it("does nothing when the image is current, without any network", async () => {
    const { stderr } = await build(0);
    expect(stderr).toBe(`guest-image: current: ${output}\n`);
  });

  it("notices a damaged file, says why it cannot build, and leaves the rest and no scratch files", async () => {
    await writeFile(join(output, "initrd.img"), "damaged");
    const kernel = await readFile(join(output, "vmlinuz"));
    const { stderr } = await build(1);
    expect(stderr).toContain("initrd.img is missing or damaged");
    expect(stderr).toContain("E: no network");
    expect(stderr).toContain("check the network and run apt-get update");
    expect((await readFile(join(output, "vmlinuz"))).equals(kernel)).toBe(true);
    expect((await readdir(root)).sort()).toEqual(["bin", "micro"]);
  });
});
