import { randomUUID } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { readIfExists, setAside, writeFileAtomic } from "../../lib/files.js";

const uidPattern = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const copies = ["host-uid", "host-uid.bak"] as const;

/**
 * The host's uid, made once for a state directory. Everything the agent makes on the host carries it, so it is kept twice; a
 * damaged copy is set aside.
 */
export async function ensureHostUid(stateDirectory: string): Promise<string> {
  await mkdir(stateDirectory, { recursive: true, mode: 0o700 });
  const paths = copies.map((copy) => join(stateDirectory, copy));
  const found = await Promise.all(paths.map(readUid));
  const uid = found.find((value) => value !== undefined) ?? randomUUID();
  for (const [index, path] of paths.entries()) if (found[index] !== uid) await writeFileAtomic(path, `${uid}\n`);
  return uid;
}

async function readUid(path: string): Promise<string | undefined> {
  const text = await readIfExists(path);
  if (text === undefined) return undefined;
  if (uidPattern.test(text.trim())) return text.trim();
  await setAside(path, new Date());
  return undefined;
}
