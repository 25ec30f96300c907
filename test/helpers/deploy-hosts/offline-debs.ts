import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { run } from "../../../agent/host/exec.js";
import { installationRoot, nodePath } from "../../../lib/program.js";
import type { DebianRelease } from "./debian-tree.js";
import type { DeployHost } from "./deploy-host.js";

/** Makes what hosts without internet are installed from, as `npm run package` does: the test's process must reach Debian's archive. */
export async function makeOfflineDebs(output: string, release: DebianRelease): Promise<string> {
  const script = join(installationRoot, "deploy/package/main.mjs");
  const argv = [script, "--only", "offline", "--release", release, "--output", output];
  return (await run(nodePath, argv, { timeoutMs: 900_000 })).stdout.trim();
}

/** Takes everything from a host that Zorhub needs and a bare Debian has not, with what only that needs; apt has no archive there. */
export async function bare(host: DeployHost, debs: string): Promise<readonly string[]> {
  const { packages } = JSON.parse(await readFile(join(debs, "offline.json"), "utf8")) as { packages: string[] };
  // What sshd and the shell of a server need themselves.
  const kept = new Set(["perl-base", "iproute2", "e2fsprogs", "openssh-client", "xz-utils", "bzip2", "nftables"]);
  const gone = packages.filter((name) => !kept.has(name));
  const options = "-q -y -o Dpkg::Use-Pty=0 --allow-remove-essential";
  await host.shell(
    `DEBIAN_FRONTEND=noninteractive apt-get ${options} purge --auto-remove ${gone.join(" ")} </dev/null`,
    {
      timeoutMs: 600_000,
    },
  );
  return gone;
}
