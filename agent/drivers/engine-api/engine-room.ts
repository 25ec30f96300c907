import { statfs } from "node:fs/promises";
import { z } from "zod";
import { resourceExhausted } from "../../../lib/errors.js";
import type { EngineClient } from "./engine-client.js";

const infoSchema = z.object({ DockerRootDir: z.string().optional() });

/** Where an engine keeps images and containers, as it says. */
export async function findEngineRoot(client: EngineClient, signal: AbortSignal): Promise<string | undefined> {
  return (await client.json({ method: "GET", path: "/info", signal }, infoSchema)).DockerRootDir;
}

/** What is given to an engine must not fill the file system that it keeps its images on. @throws {ZorError} RESOURCE_EXHAUSTED */
export async function assertEngineRoom(
  client: EngineClient,
  { bytes, what, signal }: { readonly bytes: number; readonly what: string; readonly signal: AbortSignal },
): Promise<void> {
  const root = await findEngineRoot(client, signal);
  // An engine whose files cannot be seen from here keeps its own counsel.
  const found = root === undefined ? undefined : await statfs(root).catch(() => undefined);
  if (found === undefined || bytes < found.bavail * found.bsize) return;
  const free = found.bavail * found.bsize;
  throw resourceExhausted(
    "DISK_FULL",
    `${what} needs ${bytes} bytes, and ${client.product} has ${free} for its images; free some space there`,
  );
}
