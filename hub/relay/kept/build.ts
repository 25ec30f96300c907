import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { programPath } from "../../../lib/program.js";

/** What tells the relay's program in this installation from that of another one. */
export async function relayBuild(): Promise<string> {
  const hash = createHash("sha256");
  for (const program of ["hub-relay", "relay-worker"]) hash.update(await readFile(programPath(program)));
  return hash.digest("hex").slice(0, 16);
}
