import { chown, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { makePackageTree } from "./package-tree.js";

/** FRR and every library it loads. They are fetched and unpacked, not installed: the package frr would start routing on the machine. */
const packages = [
  ...["frr", "libyang2", "libc6", "libcap2", "libcap-ng0", "libjson-c5", "libpcre2-8-0", "libreadline8", "libtinfo6"],
  ...["libcrypt1", "libpam0g", "libaudit1", "libc-ares2", "libpam-modules"],
];
const frrUser = 101;
const accounts = {
  passwd: `root:x:0:0:root:/root:/bin/sh\nfrr:x:${frrUser}:${frrUser}::/nonexistent:/bin/false\n`,
  group: `root:x:0:\nfrr:x:${frrUser}:\nfrrvty:x:102:frr\n`,
};

/**
 * Makes a directory with the built-in userland and Debian's FRR.
 * @throws {ToolError} when the packages are not there yet and cannot be fetched.
 */
export async function makeFrrTree(directory: string): Promise<void> {
  await makePackageTree(directory, packages);
  // Whoever is in there may use FRR's shell; the rules that the package brings need more modules.
  await writeFile(
    join(directory, "etc/pam.d/frr"),
    "account sufficient pam_permit.so\nauth sufficient pam_permit.so\n",
  );
  for (const [name, text] of Object.entries(accounts)) await writeFile(join(directory, "etc", name), text);
  for (const path of ["var/run/frr", "var/log/frr", "etc/frr"]) {
    await mkdir(join(directory, path), { recursive: true });
    await chown(join(directory, path), frrUser, frrUser);
  }
}
