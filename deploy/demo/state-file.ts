import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { messageOf } from "../../lib/errors.js";
import { readIfExists, writeFileAtomic } from "../../lib/files.js";
import { blockCount, type DemoLayout, demosDirectory, layOut, preferredBlock } from "./layout.js";
import { runTool } from "./tool.js";

/** What a demo remembers of itself, as JSON in its directory. */
interface DemoFile {
  readonly block: number;
  /** Context that was current before the demo made its own current. */
  readonly previousContext?: string;
}

/** The layout of a demo that has been brought up, wholly or in part; undefined when there is nothing of it. */
export async function findLayout(name: string): Promise<DemoLayout | undefined> {
  const file = await readDemoFile(name);
  return file === undefined ? undefined : layOut(name, file.block);
}

/** The layout of a demo, choosing a block that no other demo and no address of this machine uses if it is new. */
export async function ensureLayout(name: string): Promise<DemoLayout> {
  const known = await findLayout(name);
  if (known !== undefined) return known;
  const taken = await takenBlocks();
  let block = preferredBlock(name);
  for (let tries = 0; taken.has(block) && tries < blockCount; tries++) block = (block + 1) % blockCount;
  const layout = layOut(name, block);
  await mkdir(join(layout.directory, "log"), { recursive: true, mode: 0o700 });
  await writeDemoFile(name, { block });
  return layout;
}

/** The context that was current before; undefined when there was none. */
export async function findPreviousContext(name: string): Promise<string | undefined> {
  return (await readDemoFile(name))?.previousContext;
}

/** Remembers the context that was current before the demo's. */
export async function rememberPreviousContext(layout: DemoLayout, previousContext: string): Promise<void> {
  await writeDemoFile(layout.name, { block: layout.block, previousContext });
}

/** Blocks of other demos, and those in which this machine has an address. */
async function takenBlocks(): Promise<Set<number>> {
  const taken = new Set<number>();
  const others = await readdir(demosDirectory, { withFileTypes: true }).catch(() => []);
  for (const other of others.filter((entry) => entry.isDirectory())) {
    // Another demo's damage is told when that demo is asked for.
    const file = await readDemoFile(other.name).catch(() => undefined);
    if (file !== undefined) taken.add(file.block);
  }
  const addresses = await runTool("ip", ["-brief", "-4", "address"]);
  for (const [, second, third, fourth] of addresses.matchAll(/\b198\.(18|19)\.(\d+)\.(\d+)\//g)) {
    taken.add(((Number(second) - 18) * 65_536 + Number(third) * 256 + Number(fourth)) >> 4);
  }
  return taken;
}

async function readDemoFile(name: string): Promise<DemoFile | undefined> {
  const text = await readIfExists(pathOf(name)).catch((error: unknown) => {
    throw new Error(`${pathOf(name)} cannot be read: ${messageOf(error)}; use sudo`, { cause: error });
  });
  if (text === undefined) return undefined;
  const value: unknown = JSON.parse(text);
  const { block, previousContext } = value as { block?: unknown; previousContext?: unknown };
  if (typeof block !== "number" || !Number.isInteger(block) || block < 0 || block >= blockCount) {
    throw new Error(`${pathOf(name)} is damaged; remove it with: zor demo down`);
  }
  return typeof previousContext === "string" ? { block, previousContext } : { block };
}

async function writeDemoFile(name: string, file: DemoFile): Promise<void> {
  await writeFileAtomic(pathOf(name), `${JSON.stringify(file)}\n`);
}

const pathOf = (name: string): string => join(demosDirectory, name, "demo.json");
