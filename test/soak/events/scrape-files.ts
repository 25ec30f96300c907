import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** Path of a file of deploy/prometheus. */
export function fileOf(name: string): string {
  return fileURLToPath(new URL(`../../../deploy/prometheus/${name}`, import.meta.url));
}

/** The certificate authority by which the directory of an identity knows its fleet. */
export function certificatesOf(identityDirectory: string): Promise<Buffer> {
  return readFile(join(identityDirectory, "ca.pem"));
}
