import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "../../../agent/host/exec.js";
import { installationRoot, nodePath } from "../../../lib/program.js";
import { runTag } from "../../helpers/run-tag.js";

/** What lies beside an archive. */
export interface Summary {
  readonly id: string;
  readonly sha256: string;
  readonly bytes: number;
  readonly builds: Readonly<Record<string, string>>;
}

export const installScript = join(installationRoot, "deploy/package/install-version.sh");

/** A directory for what a test file makes; disposing of it removes it. */
export async function makeDirectory(): Promise<{ readonly path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), `${runTag}-package-`));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

/** Makes packages of one kind as `npm run package` does; resolves to their files. */
export async function makePackages(kind: string, output: string): Promise<readonly string[]> {
  const script = join(installationRoot, "deploy/package/main.mjs");
  const { stdout } = await run(nodePath, [script, "--only", kind, "--output", output], { timeoutMs: 900_000 });
  return stdout.trim().split("\n");
}

export async function readSummary(archive: string): Promise<Summary> {
  return JSON.parse(await readFile(`${archive}.json`, "utf8")) as Summary;
}
