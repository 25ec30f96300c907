import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { run } from "../../../agent/host/exec.js";

/** What a version differs in from the archive's. */
export interface Difference {
  /** "another": it is another build that does the same; "broken": its agent and hub end at once. */
  readonly kind: "another" | "broken";
  /** Where its archive is written. */
  readonly directory: string;
}

/** Makes an archive of another version out of one. Returns its path and id. */
export async function otherVersion(
  archive: string,
  { kind, directory }: Difference,
): Promise<{ readonly path: string; readonly id: string }> {
  const scratch = join(directory, `${kind}.unpacked`);
  await mkdir(scratch, { recursive: true });
  await run("tar", ["-xzf", archive, "-C", scratch], { timeoutMs: 120_000 });
  const [first = ""] = await readdir(scratch);
  const root = join(scratch, first);
  const builds: Record<string, string> = {};
  for (const program of ["agent", "hub"]) {
    const file = join(root, `dist/${program}.js`);
    const text = await readFile(file, "utf8");
    const own = kind === "another" ? `${text}\n// ${kind}\n` : `throw new Error("this version is broken");\n`;
    await writeFile(file, own);
    builds[program] = sha256(own).slice(0, 12);
  }
  const manifest = join(root, "manifest.json");
  const told = JSON.parse(await readFile(manifest, "utf8")) as { builds: Record<string, string> };
  // As it was written: what reads it on hosts is sed.
  const changed = { ...told, builds: { ...told.builds, ...builds } };
  await writeFile(manifest, `${JSON.stringify(changed, undefined, 1)}\n`);
  const paths = (await readFile(join(root, "SHA256SUMS"), "utf8"))
    .trim()
    .split("\n")
    .map((line) => line.slice(66));
  const { stdout: sums } = await run("sha256sum", ["--", ...paths], { cwd: root, timeoutMs: 120_000 });
  await writeFile(join(root, "SHA256SUMS"), sums);
  const id = `${first.replace(/-[^-]*$/, "")}-${sha256(sums).slice(0, 16)}`;
  await rename(root, join(scratch, id));
  const path = join(directory, `${kind}.tar.gz`);
  await run("tar", ["-c", "-I", "gzip -1", "-f", path, "-C", scratch, id], { timeoutMs: 120_000 });
  await rm(scratch, { recursive: true });
  const summary = JSON.parse(await readFile(`${archive}.json`, "utf8")) as { builds: Record<string, string> };
  const own = { id, bytes: (await stat(path)).size, sha256: sha256(await readFile(path)) };
  await writeFile(`${path}.json`, JSON.stringify({ ...summary, ...own, builds: { ...summary.builds, ...builds } }));
  return { path, id };
}

function sha256(data: string | Buffer): string {
  return createHash("sha256").update(data).digest("hex");
}
