import { chmod, chown, mkdir, readFile, rm, stat, truncate } from "node:fs/promises";
import { join } from "node:path";
import type { DriverInstance } from "../driver.js";
import { consoleLogPaths } from "./serial-ports.js";

const maxLogBytes = 1024 * 1024;

/** QEMU's working directory: the only place its user can reach. */
export function runDirectoryOf(instance: Pick<DriverInstance, "directory">): string {
  return join(instance.directory, "run");
}

/** Makes QEMU's working directory anew, for its user alone. */
export async function makeRunDirectory(path: string, user: number): Promise<void> {
  await rm(path, { recursive: true, force: true });
  await mkdir(path, { mode: 0o700 });
  await chown(path, user, user);
  await chmod(path, 0o700);
}

/** QEMU's own messages. */
export function logPathOf(instance: Pick<DriverInstance, "directory">): string {
  return join(instance.directory, "qemu.log");
}

/** The last line of QEMU's messages, for people; empty when it said nothing. */
export async function lastMessage(instance: Pick<DriverInstance, "directory">): Promise<string> {
  const text = await readFile(logPathOf(instance), "utf8").catch(() => "");
  const line = text.trim().split("\n").at(-1)?.slice(-300) ?? "";
  return line.replace(/^\d{4}-\d\d-\d\dT[\d:.]+Z /, "");
}

/** Cuts QEMU's messages off when a guest has provoked too many. Call now and then. */
export async function boundLog(instance: Pick<DriverInstance, "directory">): Promise<void> {
  const path = logPathOf(instance);
  const size = await stat(path).then(
    (found) => found.size,
    () => 0,
  );
  // QEMU appends: its next message goes to the new end.
  if (size > maxLogBytes) await truncate(path);
}

/** Removes what runs of an instance have left: sockets, QEMU's messages and what serial ports have said. Idempotent. */
export async function removeRunFiles(instance: DriverInstance): Promise<void> {
  const logs = [logPathOf(instance), ...consoleLogPaths(instance.directory)];
  for (const path of [runDirectoryOf(instance), ...logs]) await rm(path, { recursive: true, force: true });
}
