import { createHash } from "node:crypto";
import { chmod, mkdir, readdir, rename, rm, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { run } from "../../agent/host/exec.js";

/** Kept between runs, as set-up keeps what it fetches. */
const cache = resolve(import.meta.dirname, "../../.zor/packages");
const micro = "/var/lib/zor/images/micro/rootfs.tar";

/**
 * Makes a directory with the built-in userland and packages of Debian, which are unpacked and not set up.
 * @throws {ToolError} when the packages are not there yet and cannot be fetched.
 */
export async function makePackageTree(directory: string, packages: readonly string[]): Promise<void> {
  await mkdir(directory, { recursive: true });
  await run("tar", ["--extract", `--directory=${directory}`, `--file=${micro}`]);
  const debs = await fetchPackages(packages);
  for (const name of await readdir(debs)) await run("dpkg", ["-x", join(debs, name), directory]);
}

async function fetchPackages(packages: readonly string[]): Promise<string> {
  const key = createHash("sha256").update(packages.join(" ")).digest("hex").slice(0, 12);
  const whole = join(cache, key);
  if (await stat(whole).catch(() => undefined)) return whole;
  const scratch = `${whole}.${process.pid}`;
  await mkdir(scratch, { recursive: true });
  // apt fetches as a user of its own, who must be able to write here.
  await chmod(scratch, 0o777);
  await run("apt-get", ["-qq", "download", ...packages], { cwd: scratch, timeoutMs: 120_000 });
  await rename(scratch, whole).catch(() => rm(scratch, { recursive: true, force: true }));
  return whole;
}
