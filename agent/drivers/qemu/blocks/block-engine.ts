import { randomUUID } from "node:crypto";
import type { FileHandle } from "node:fs/promises";
import { asObject, type JsonObject, numberOf, objectsIn, textOf } from "../json.js";

/** A QEMU that has disks open: one that runs a machine, or one that only holds the disks of a stopped one. */
export interface BlockEngine {
  /** Runs a QMP command. @throws {ZorError} */
  execute(command: string, args?: JsonObject, timeoutMs?: number): Promise<unknown>;
  /** Runs a QMP command that takes a descriptor. @throws {ZorError} */
  executeWith(descriptor: number, command: string, args?: JsonObject): Promise<unknown>;
}

/** Block devices, jobs and bitmaps that this program makes in a QEMU begin with this. */
export const ownPrefix = "zor-";

/** Longest answer to a command that writes out what a guest has written: disks may be slow. */
export const slowCommandMs = 120_000;

/** A file that a QEMU has open. */
export interface GivenFile {
  /** What its block driver is told as file name. */
  readonly filename: string;
  /** QEMU forgets it; what has it open goes on with it. */
  take(): Promise<void>;
}

/** Node name of a disk, by its number. */
export function diskNode(number: number): string {
  return `disk${number}`;
}

/** A name that nothing else has. */
export function newName(what: string): string {
  return `${ownPrefix}${what}-${randomUUID().slice(0, 18)}`;
}

/** Gives QEMU an open file: it opens nothing by name, and its user may read none of the agent's files. */
export async function giveFile(engine: BlockEngine, file: FileHandle): Promise<GivenFile> {
  const answer = asObject(await engine.executeWith(file.fd, "add-fd", { opaque: "zor" }));
  const set = numberOf(answer, "fdset-id");
  if (set === undefined) throw new Error("QEMU did not tell where it has put a descriptor");
  return {
    filename: `/dev/fdset/${set}`,
    take: async () => void (await engine.execute("remove-fd", { "fdset-id": set })),
  };
}

/** A disk that can be written to, as QEMU tells. */
export interface WritableNode {
  readonly node: string;
  /** "qcow2", "raw" */
  readonly format: string;
}

/** Top nodes of the devices of a machine that its guest can write to. */
export async function writableNodes(engine: BlockEngine): Promise<readonly WritableNode[]> {
  return objectsIn(await engine.execute("query-block")).flatMap((device) => {
    const inserted = asObject(device["inserted"]);
    if (inserted === undefined || inserted["ro"] === true) return [];
    return [{ node: textOf(inserted, "node-name"), format: textOf(inserted, "drv") }];
  });
}

/** A snapshot inside a disk. */
export interface InnerSnapshot {
  readonly name: string;
  readonly memoryBytes: number;
}

/** Snapshots inside a node. */
export async function innerSnapshots(engine: BlockEngine, node: string): Promise<readonly InnerSnapshot[]> {
  const image = asObject((await findNode(engine, node))?.["image"]);
  return objectsIn(image?.["snapshots"]).map((each) => ({
    name: textOf(each, "name"),
    memoryBytes: numberOf(each, "vm-state-size") ?? 0,
  }));
}

/** What QEMU tells of a node; undefined: it has none of that name. */
async function findNode(engine: BlockEngine, node: string): Promise<JsonObject | undefined> {
  return (await allNodes(engine)).find((each) => textOf(each, "node-name") === node);
}

/** All nodes. */
export async function allNodes(engine: BlockEngine): Promise<readonly JsonObject[]> {
  return objectsIn(await engine.execute("query-named-block-nodes", { flat: true }));
}

/** Names of the bitmaps of a node that this program made. */
export async function ownBitmaps(engine: BlockEngine, node: string): Promise<readonly JsonObject[]> {
  const bitmaps = objectsIn((await findNode(engine, node))?.["dirty-bitmaps"]);
  return bitmaps.filter((bitmap) => textOf(bitmap, "name").startsWith(ownPrefix));
}

/** Removes the bitmaps of a node: what they tell is not true any more. */
export async function dropBitmaps(engine: BlockEngine, node: string): Promise<void> {
  for (const bitmap of await ownBitmaps(engine, node)) {
    await engine.execute("block-dirty-bitmap-remove", { node, name: textOf(bitmap, "name") }, slowCommandMs);
  }
}
