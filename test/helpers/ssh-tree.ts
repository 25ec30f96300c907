import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { run } from "../../agent/host/exec.js";
import { makePackageTree } from "./package-tree.js";

/** An ssh server, what scp and rsync need beside it, and every library these load. */
const packages = [
  ...[
    "openssh-server",
    "openssh-sftp-server",
    "openssh-client",
    "rsync",
    "libaudit1",
    "libc6",
    "libcap-ng0",
    "libcap2",
  ],
  ...["libcom-err2", "libcrypt1", "libgcrypt20", "libgpg-error0", "libgssapi-krb5-2", "libk5crypto3", "libkeyutils1"],
  ...["libkrb5-3", "libkrb5support0", "liblz4-1", "liblzma5", "libnsl2", "libpam0g", "libpcre2-8-0", "libpopt0"],
  ...["libselinux1", "libssl3", "libsystemd0", "libtirpc3", "libwrap0", "libxxhash0", "libzstd1", "zlib1g", "libacl1"],
];

/** Starts servers on port 22, and on port 2222 one with another key than the one that /etc/ssh says. */
export const sshServers = `mkdir -p /run/sshd; d=/usr/sbin/sshd
$d -p 2222 -h /etc/other_key && exec $d -D -p 22`;

/** Makes a directory with the built-in userland and Debian's ssh server. @throws {ToolError} when the packages cannot be fetched. */
export async function makeSshTree(directory: string): Promise<void> {
  await makePackageTree(directory, packages);
  await writeFile(
    join(directory, "etc/passwd"),
    "root:x:0:0:root:/root:/bin/sh\nsshd:x:100:65534::/run/sshd:/bin/false\nann:x:1000:1000::/home/ann:/bin/sh\n",
  );
  // The package makes it when it is set up.
  const settings = ["UsePAM no", "PidFile none", "Subsystem sftp /usr/lib/openssh/sftp-server"];
  await writeFile(join(directory, "etc/ssh/sshd_config"), settings.map((line) => `${line}\n`).join(""));
  await writeFile(join(directory, "etc/group"), "root:x:0:\nann:x:1000:\n");
  await mkdir(join(directory, "home/ann"), { recursive: true });
  await run("chown", ["1000:1000", join(directory, "home/ann")]);
  for (const path of ["etc/ssh/ssh_host_ed25519_key", "etc/other_key"]) {
    await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", join(directory, path)]);
  }
}
