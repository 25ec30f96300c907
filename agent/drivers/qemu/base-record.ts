import { rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { z } from "zod";
import { failedPrecondition, type ZorError } from "../../../lib/errors.js";
import { readIfExists, writeFileAtomic } from "../../../lib/files.js";
import { quote } from "../../../lib/names.js";
import { type ContentDigest, type ContentDigests, isSameHint, readHint } from "./content-digests.js";
import type { ImageChain } from "./image-chain.js";

/** One image below a persistent overlay, as it was when the overlay was made. */
export interface BaseImage extends ContentDigest {
  /** How people know it. */
  readonly name: string;
  readonly path: string;
}

const text = z.string().max(4096);
const recordSchema = z.array(
  z.object({
    name: text,
    path: text,
    sha256: text,
    settled: z.boolean(),
    hint: z.object({ dev: text, ino: text, size: text, mtimeNs: text, ctimeNs: text }),
  }),
);

/** A persistent overlay whose images are remembered. */
export interface RecordOptions {
  /** Directory of the instance's overlays. */
  readonly directory: string;
  /** Name of the disk in its instance. */
  readonly disk: string;
  /** Resource name for errors. */
  readonly resource: string;
  /** Name of the image in the spec. */
  readonly image: string;
  readonly chain: ImageChain;
  readonly digests: ContentDigests;
  readonly signal: AbortSignal;
}

/** Remembers the images below a new overlay. @throws {ZorError} FAILED_PRECONDITION when one is being written to. */
export async function recordBases(options: RecordOptions): Promise<void> {
  const { chain, digests, signal } = options;
  const bases: BaseImage[] = [];
  for (const [level, { path, file }] of chain.layers.entries()) {
    const found = await digests.of(file, signal);
    if (found === undefined) throw busy(options, level);
    bases.push({ ...found, name: nameOf(options, level), path });
  }
  await write(options, bases);
}

/**
 * Checks that the images below an overlay are what it was made over. What stat tells is compared first; only where that differs is
 * the content read, so that a touched or copied image is still the same.
 * @throws {ZorError} FAILED_PRECONDITION naming the image that is another.
 */
export async function checkBases(options: RecordOptions): Promise<void> {
  const { chain, digests, signal } = options;
  const recorded = await readBases(options);
  // An overlay from before images were remembered.
  if (recorded === undefined) return await recordBases(options);
  if (recorded.length !== chain.layers.length) throw changed(options, 0, "has other backing files than it had");
  let isNews = false;
  const bases: BaseImage[] = [];
  for (const [level, base] of recorded.entries()) {
    const layer = chain.layers[level];
    if (layer === undefined) continue;
    const hint = await readHint(layer.file);
    if (base.settled && isSameHint(hint, base.hint)) {
      bases.push(base);
      continue;
    }
    if (hint.size !== base.hint.size) throw changed(options, level, `has ${hint.size} bytes and had ${base.hint.size}`);
    const found = await digests.of(layer.file, signal);
    if (found === undefined) throw busy(options, level);
    if (found.sha256 !== base.sha256) {
      const how = found.hint.ino === base.hint.ino ? "was written to" : "was replaced by another";
      throw changed(options, level, how);
    }
    isNews = true;
    bases.push({ ...base, ...found, path: layer.path });
  }
  if (isNews) await write(options, bases);
}

/** The images below an overlay as remembered; undefined when they are not. */
export async function readBases(of: RecordPlace): Promise<readonly BaseImage[] | undefined> {
  const content = await readIfExists(recordPath(of));
  if (content === undefined) return undefined;
  try {
    return recordSchema.parse(JSON.parse(content));
  } catch {
    return undefined;
  }
}

/** Forgets what was below an overlay that is no more. Idempotent. */
export async function forgetBases(of: RecordPlace): Promise<void> {
  await rm(recordPath(of), { force: true });
}

/** Remembers for a copy of an overlay what was remembered for the overlay. */
export async function copyBases(from: RecordPlace, to: RecordPlace): Promise<void> {
  const content = await readIfExists(recordPath(from));
  if (content !== undefined) await writeFileAtomic(recordPath(to), content);
}

async function write(options: RecordOptions, bases: readonly BaseImage[]): Promise<void> {
  await writeFileAtomic(recordPath(options), `${JSON.stringify(bases)}\n`);
}

/** Which disk of which instance. */
type RecordPlace = Pick<RecordOptions, "directory" | "disk">;

function recordPath({ directory, disk }: RecordPlace): string {
  return join(directory, `${disk}.bases.json`);
}

function nameOf({ image, chain }: RecordOptions, level: number): string {
  const path = chain.layers[level]?.path ?? "";
  return level === 0 ? quote(image) : `${quote(basename(path))} (below ${quote(image)})`;
}

function changed(options: RecordOptions, level: number, how: string): ZorError {
  const { resource, disk } = options;
  return failedPrecondition(
    "DISK_BASE_CHANGED",
    resource,
    `${resource}: the image ${nameOf(options, level)} ${how} since the persistent disk ${disk.replace("disk", "")} was made over it, and both together would be a damaged disk; put the former image back, or delete and create the instance`,
  );
}

function busy(options: RecordOptions, level: number): ZorError {
  const { resource } = options;
  const name = nameOf(options, level);
  return failedPrecondition(
    "IMAGE_BUSY",
    resource,
    `${resource}: something on the host is writing to the image ${name}; try again when it has finished`,
  );
}
