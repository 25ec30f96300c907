import { createHash } from "node:crypto";
import { chmod, mkdir, mkdtemp, readdir, readlink, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { onTestFinished } from "vitest";
import { run } from "../../agent/host/exec.js";
import { runOwned } from "./owned.js";

const script = join(import.meta.dirname, "../../deploy/package/install-version.sh");

/** A version of the test's own: laid out like one of `npm run package`, with a shell script instead of Node. */
export interface MadeVersion {
  readonly id: string;
  readonly directory: string;
  readonly archive: string;
}

/** Makes a version whose files differ from those of others by `mark`, as a directory and as an archive. */
export async function makeVersion(
  below: string,
  mark: string,
  { arch = process.arch, unit = "" }: { readonly arch?: string; readonly unit?: string } = {},
): Promise<MadeVersion> {
  const files = new Map([
    ["manifest.json", `{\n "format": 1,\n "version": "0.0.1",\n "arch": "${arch}",\n "mark": "${mark}"\n}\n`],
    ["zor", "#!/bin/sh\n"],
    ["node_modules/.bin/node", '#!/bin/sh\n[ "$1" = --version ] || read line\n'],
    ["deploy/systemd/zor-agent.service", `[Service]\nExecStart=/opt/zorhub/current/zor agent run\n${unit}`],
    ["deploy/systemd/zor-hub.service", "[Service]\nExecStart=/opt/zorhub/current/zor hub run\n"],
  ]);
  const digest = (text: string) => createHash("sha256").update(text).digest("hex");
  const sums = [...files].map(([path, text]) => `${digest(text)}  ${path}\n`).join("");
  const id = `0.0.1-${digest(sums).slice(0, 16)}`;
  const directory = join(below, id);
  for (const [path, text] of [...files, ["SHA256SUMS", sums] as const]) {
    const file = join(directory, path);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, text);
    await chmod(file, 0o755);
  }
  const archive = join(below, `${mark}.tar.gz`);
  await run("tar", ["-czf", archive, "-C", below, id]);
  return { id, directory, archive };
}

/** A place that stands for a host's file system. */
export async function standInHost(): Promise<{
  readonly root: string;
  readonly base: string;
  readonly made: string;
  /** install-version.sh there. */
  readonly install: (...argv: readonly string[]) => ReturnType<typeof runOwned>;
  readonly current: () => Promise<string>;
}> {
  const directory = await mkdtemp(join(tmpdir(), "zor-versions-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const root = join(directory, "root");
  const base = join(root, "opt/zorhub");
  const made = join(directory, "made");
  await mkdir(root);
  await mkdir(made);
  const install = (...argv: readonly string[]) => runOwned("sh", [script, ...argv], { env: { ROOT: root } });
  return { root, base, made, install, current: () => readlink(join(base, "current")) };
}

/** What is in the folder of versions, of which nothing may be a remainder. */
export const versionsIn = (base: string): Promise<string[]> => readdir(join(base, "versions"));
