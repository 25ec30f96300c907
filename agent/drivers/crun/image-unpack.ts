import { lstat, mkdir, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { openExactly } from "../../host/open-exactly.js";
import type { Progress } from "../driver.js";
import type { OpenImage } from "../images.js";
import { isContainerImage, openLayer, readLayers } from "./container-image.js";
import { mergeLayer } from "./layer-merge.js";
import { extractTar, openTar } from "./tar-archive.js";

/** How an image becomes a directory. */
export interface UnpackOptions {
  /** Proto path of the request field, for errors. */
  readonly field: string;
  /** An empty directory that takes the root filesystem. */
  readonly target: string;
  /** A path for what is needed meanwhile; nothing is there afterwards. */
  readonly work: string;
  /** Bytes that may be written. */
  readonly spareBytes: () => Promise<number>;
  readonly progress: Progress;
  readonly signal: AbortSignal;
}

/** Names of which a root filesystem has at least one. */
const rootNames = new Set(["bin", "sbin", "usr", "etc", "lib", "init"]);

/**
 * Extracts an image: a tar archive of a root filesystem, an archive as `docker save` makes it, or an OCI layout, as an archive or
 * a directory.
 * @throws {ZorError} INVALID_ARGUMENT when something is wrong with it; RESOURCE_EXHAUSTED when it does not fit.
 */
export async function unpackImage(image: OpenImage, options: UnpackOptions): Promise<void> {
  const { field, target, work, progress } = options;
  try {
    if (image.type === "directory") return await unpackLayers(image.file, options);
    progress("checking the archive", 5);
    const subject = { ...options, what: "the archive" };
    const archive = await openTar(image.file, subject);
    progress("extracting the archive", 20);
    if (!isContainerImage(archive.summary.top)) return await extractTar(archive, target, subject);
    const layout = join(work, "layout");
    await mkdir(layout, { recursive: true, mode: 0o700 });
    await extractTar(archive, layout, { ...subject, field });
    await using root = await openExactly(layout);
    await unpackLayers(root, options);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** Makes the only directory of a root filesystem its root, when it looks like one: many archives are packed one level too high. */
export async function liftOnlyDirectory(root: string): Promise<void> {
  const [only, another] = await readdir(root);
  if (only === undefined || another !== undefined || rootNames.has(only)) return;
  const inner = join(root, only);
  if (!(await lstat(inner)).isDirectory()) return;
  if (!(await readdir(inner)).some((name) => rootNames.has(name))) return;
  const lifted = `${root}.lifted`;
  await rename(inner, lifted);
  await rm(root, { recursive: true });
  await rename(lifted, root);
}

/** Each layer is extracted on its own, where no link of another can lead it anywhere, and then merged. */
async function unpackLayers(root: OpenImage["file"], options: UnpackOptions): Promise<void> {
  const { target, work, signal, progress } = options;
  const layout = { root, field: options.field };
  const layers = await readLayers(layout, new Set(await readdir(`/proc/self/fd/${root.fd}`)));
  for (const [index, layer] of layers.entries()) {
    progress(`extracting layer ${index + 1} of ${layers.length}`, 20 + (75 * index) / layers.length);
    const subject = { ...options, what: `layer ${index + 1} of the image` };
    await using file = await openLayer(layout, layer, signal);
    const directory = join(work, "layer");
    await mkdir(directory, { recursive: true, mode: 0o755 });
    await extractTar(await openTar(file, subject), directory, subject);
    await mergeLayer(directory, target);
    await rm(directory, { recursive: true });
  }
}
