import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { run } from "../../agent/host/exec.js";

/** Arguments: directory of the kernel's package, its version, where the appliance goes. */
const script = `set -e
work=$1 version=$2 to=$3
mkdir -p "$work/lib" "$work/cache"
depmod=$(PATH=$PATH:/sbin:/usr/sbin command -v depmod)
"$depmod" -b "$work/kernel" "$version"
mv "$work/kernel/lib/modules" "$work/lib/modules"
mount -t overlay -o "lowerdir=$work/lib:/usr/lib" overlay /usr/lib
export LIBGUESTFS_BACKEND=direct LIBGUESTFS_BACKEND_SETTINGS=force_tcg
export LIBGUESTFS_CACHEDIR=$work/cache LIBGUESTFS_TMPDIR=$work/cache TMPDIR=$work/cache
export SUPERMIN_KERNEL=$work/kernel/boot/vmlinuz-$version SUPERMIN_KERNEL_VERSION=$version
export SUPERMIN_MODULES=/usr/lib/modules/$version
exec libguestfs-make-fixed-appliance "$to"`;

/** Programs that are needed, and the packages that have them. Set-up leaves these out for their size. */
const needs = [
  ["libguestfs-perl", "perl -MSys::Guestfs -e 1"],
  ["libguestfs-tools", "command -v libguestfs-make-fixed-appliance"],
  ["kmod", "command -v depmod"],
  ["e2fsprogs", "command -v mkfs.ext4"],
] as const;

/** Tells what is missing of what {@link makeDiskAppliance}, and a look into the disks of machines, needs. @throws {Error} with the packages. */
export async function assertCanLook(): Promise<void> {
  const missing: string[] = [];
  for (const [name, probe] of needs) {
    const env = { PATH: `${process.env["PATH"]}:/sbin:/usr/sbin` };
    await run("sh", ["-c", probe], { env }).catch(() => missing.push(name));
  }
  if (missing.length > 0) throw new Error(`install what this needs with: apt-get install ${missing.join(" ")}`);
}

/**
 * Makes the machine that looks into disks on a host without a kernel of its own, as containers that build and test are: with Debian's kernel,
 * fetched and not installed. Takes a minute.
 */
export async function makeDiskAppliance(directory: string): Promise<string> {
  const [debs, kernel, appliance] = ["debs", "kernel", "appliance"].map((name) => join(directory, name)) as [
    string,
    string,
    string,
  ];
  await mkdir(debs, { recursive: true, mode: 0o777 });
  const { stdout } = await run("apt-cache", ["depends", "linux-image-cloud-amd64"]);
  const name = /^\s*Depends: (linux-image-[0-9]\S*)$/m.exec(stdout)?.[1];
  if (name === undefined) throw new Error("apt does not know linux-image-cloud-amd64; run apt-get update first");
  await run("apt-get", ["-qq", "download", name], { cwd: debs, timeoutMs: 120_000 });
  for (const deb of await readdir(debs)) await run("dpkg", ["-x", join(debs, deb), kernel], { timeoutMs: 60_000 });
  const version = name.slice("linux-image-".length);
  const argv = ["--mount", "--propagation", "private", "--", "sh", "-c", script, "sh", directory, version, appliance];
  await run("unshare", argv, { timeoutMs: 600_000 });
  return appliance;
}
