import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { uninterrupted } from "../../lib/uninterrupted.js";
import type { BlockEngine } from "../drivers/qemu/blocks/block-engine.js";
import { startBlockProcess } from "../drivers/qemu/blocks/block-process.js";
import { toUserId } from "../drivers/qemu/privileges.js";
import { newName } from "../drivers/qemu/blocks/block-engine.js";

/** Where and for what a QEMU works with volumes. */
export interface BlockWorkOptions {
  /** State directory of the agent. */
  readonly state: string;
  /** Resource name for errors. */
  readonly resource: string;
  /** It may reach servers. */
  readonly network: boolean;
  readonly signal?: AbortSignal;
}

/** Works with volumes in a QEMU without a machine, which is there just for that. */
export type BlockWork = <T>(options: BlockWorkOptions, work: (engine: BlockEngine) => Promise<T>) => Promise<T>;

/** Starts one for some work, and ends it. @throws {ZorError} what the work does, or UNAVAILABLE when it does not start. */
export const workWithBlocks: BlockWork = async ({ state, resource, network, signal = uninterrupted }, work) => {
  const name = newName("work");
  const directory = join(workDirectory(state), name);
  await mkdir(directory, { recursive: true, mode: 0o711 });
  try {
    await using engine = await startBlockProcess({ resource, directory, user: toUserId(name), signal, network });
    return await work(engine);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
};

/** What an agent that was killed has left there is of no use: those processes have ended with it. */
export async function clearBlockWork(state: string): Promise<void> {
  await rm(workDirectory(state), { recursive: true, force: true });
}

function workDirectory(state: string): string {
  return join(state, "storage-work");
}
