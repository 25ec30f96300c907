import { createHash } from "node:crypto";
import { mkdir, readFile, rename, rm, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { run } from "../../../agent/host/exec.js";

/** The clone that this is of. */
const clone = resolve(import.meta.dirname, "../../..");

/** Who logs in on the hosts: sudo asks this user for the password. */
export const opsUser = { name: "ops", password: "lab-Password 1" };

/** What every Debian server has, and `minbase` has not. */
const system = [
  ...["systemd", "systemd-sysv", "dbus", "openssh-server", "sudo", "ca-certificates", "procps"],
  "python3-minimal",
];

/** Done in the tree once it is installed. Timers would go to the network; keys and id are each host's own. */
const finish = `set -e
useradd --create-home --shell /bin/bash --groups sudo ${opsUser.name}
echo '${opsUser.name}:${opsUser.password}' | chpasswd
for unit in apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service fstrim.timer sys-kernel-debug.mount sys-kernel-tracing.mount dev-hugepages.mount systemd-modules-load.service; do
  ln -sf /dev/null /etc/systemd/system/$unit
done
rm -f /etc/ssh/ssh_host_*_key* /etc/machine-id /var/lib/dbus/machine-id
echo localhost > /etc/hostname
echo '127.0.0.1 localhost' > /etc/hosts
`;

/** Names in deploy/packages.txt of what programs need when they run. */
async function runTimePackages(project: string): Promise<readonly string[]> {
  const text = await readFile(join(project, "deploy/packages.txt"), "utf8");
  return text.split("\n").flatMap((line) => {
    const [, name, reason = ""] = /^([a-z0-9][a-z0-9.+-]*)\s+#\s*(.*)$/.exec(line) ?? [];
    return name === undefined || reason.startsWith("test:") ? [] : [name];
  });
}

/** Names of Debian's releases that hosts can be of: 12 and 13. */
export type DebianRelease = "bookworm" | "trixie";

/**
 * A Debian (12 unless another is given) with sshd, sudo and the packages that Zorhub needs when it runs, and nothing of Zorhub: made once (minutes, 500 MB), and
 * again when what belongs in it changes. Nothing may be changed in it: it lies below the roots of all hosts.
 * @param project top folder of the clone that keeps it. @throws {ToolError} when mmdebstrap or the network is missing.
 */
export async function debianTree(project: string = clone, release: DebianRelease = "bookworm"): Promise<string> {
  // Kept between runs, as set-up keeps what it fetches.
  const cache = join(project, release === "bookworm" ? ".zor/deploy-tree" : `.zor/deploy-tree-${release}`);
  const packages = [...system, ...(await runTimePackages(project))];
  const key = createHash("sha256").update(packages.join(" ")).update(finish).digest("hex").slice(0, 12);
  const whole = join(cache, key);
  if (await stat(whole).catch(() => undefined)) return whole;
  // Those of other lists are of no use any more.
  await rm(cache, { recursive: true, force: true });
  await mkdir(cache, { recursive: true });
  const scratch = `${whole}.${process.pid}`;
  const options = ["--quiet", "--mode=root", "--variant=minbase", `--include=${packages.join(",")}`];
  const lean = ['--aptopt=APT::Sandbox::User "root"', '--aptopt=APT::Install-Recommends "false"'];
  // A tree that a crash leaves half made is made again: nothing of it has to be on the disk at once.
  const docs = ["--dpkgopt=path-exclude=/usr/share/{doc,man,locale}/*", "--dpkgopt=force-unsafe-io"];
  const own = `--customize-hook=chroot "$1" sh -c ${shellWord(finish)}`;
  // In a mount namespace of its own: what it mounts in there is gone with it, however it ends.
  const argv = [
    "--mount",
    "mmdebstrap",
    ...options,
    ...lean,
    ...docs,
    own,
    release,
    scratch,
    ...(await sources(release)),
  ];
  try {
    await run("unshare", argv, { timeoutMs: 1_500_000 });
    await rename(scratch, whole);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
  return whole;
}

/** Where this machine gets Debian from, when it is the same Debian. */
async function sources(release: DebianRelease): Promise<readonly string[]> {
  const own = await readFile("/etc/os-release", "utf8").catch(() => "");
  if (!own.includes(`VERSION_CODENAME=${release}`)) return ["http://deb.debian.org/debian"];
  for (const path of ["/etc/apt/sources.list.d/debian.sources", "/etc/apt/sources.list"]) {
    if (await stat(path).catch(() => undefined)) return [path];
  }
  return ["http://deb.debian.org/debian"];
}

function shellWord(text: string): string {
  return `'${text.replace(/'/g, `'\\''`)}'`;
}
