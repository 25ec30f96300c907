// What is put into archives: files, sorted, and nothing else.
import { createHash } from "node:crypto";
import { closeSync, lstatSync, openSync, readdirSync, readSync } from "node:fs";
import { join } from "node:path";

/** Paths of all files below a directory, in the order of their bytes. */
export function filesIn(directory, below = "") {
  const files = [];
  for (const entry of readdirSync(join(directory, below), { withFileTypes: true })) {
    const path = below === "" ? entry.name : `${below}/${entry.name}`;
    if (entry.isDirectory()) files.push(...filesIn(directory, path));
    else files.push(path);
  }
  return below === "" ? files.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))) : files;
}

/** SHA-256 of a file in hexadecimal digits; large ones are not read into memory at once. */
export function digestOf(file) {
  const hash = createHash("sha256");
  const part = Buffer.allocUnsafe(1 << 20);
  const descriptor = openSync(file, "r");
  try {
    for (let read = readSync(descriptor, part); read > 0; read = readSync(descriptor, part)) {
      hash.update(part.subarray(0, read));
    }
  } finally {
    closeSync(descriptor);
  }
  return hash.digest("hex");
}

/** Files as manifests list them. */
export function listed(directory) {
  return filesIn(directory).map((path) => {
    const { size, mode } = lstatSync(join(directory, path));
    const bits = (mode & 0o777).toString(8).padStart(4, "0");
    return { path, sha256: digestOf(join(directory, path)), bytes: size, mode: bits };
  });
}
