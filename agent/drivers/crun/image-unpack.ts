import { lstat, mkdir, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { openExactly } from "../../host/open-exactly.js";
import type { Progress } from "../driver.js";
import type { OpenImage } from "../images.js";
import {
  hashOf,
  type ImageConfig,
  type ImageLayout,
  isContainerImage,
  noConfig,
  openLayer,
  readImage,
} from "./container-image.js";
import { extractTar, openTar, readArchiveFormat } from "./tar-archive.js";
import { extractZip } from "./zip-archive.js";

/** One layer of an image that is being unpacked. */
export interface UnpackedLayer {
  /** What its content and the way it is unpacked are known by. */
  readonly key: string;
  /** Extracts it into an empty directory, and tells whether it says that something of the layers below is gone (".wh."). */
  fill(directory: string): Promise<{ readonly hasWhiteouts: boolean }>;
}

/** How an image is taken apart. */
export interface UnpackOptions {
  /** Proto path of the request field, for errors. */
  readonly field: string;
  /** A path for what is needed meanwhile; nothing is there afterwards. */
  readonly work: string;
  /** Takes each layer, the lowest first. */
  readonly take: (layer: UnpackedLayer) => Promise<void>;
  /** Bytes that may be written. */
  readonly spareBytes: () => Promise<number>;
  readonly progress: Progress;
  readonly signal: AbortSignal;
}

/** Names of which a root filesystem has at least one. */
const rootNames = new Set(["bin", "sbin", "usr", "etc", "lib", "init"]);

/**
 * Takes an image apart: an archive of a root filesystem, an archive as `docker save` makes it, or an OCI layout, as an archive or a
 * directory. @returns what it says of how it is run.
 * @throws {ZorError} INVALID_ARGUMENT when something is wrong with it; RESOURCE_EXHAUSTED when it does not fit.
 */
export async function unpackImage(image: OpenImage, options: UnpackOptions): Promise<ImageConfig> {
  try {
    if (image.type === "directory") return await unpackLayers(image.file, options);
    return await unpackArchive(image.file, options);
  } finally {
    await rm(options.work, { recursive: true, force: true });
  }
}

async function unpackArchive(file: OpenImage["file"], options: UnpackOptions): Promise<ImageConfig> {
  const { work, progress, take, signal } = options;
  progress("checking the archive", 5);
  const subject = { ...options, what: "the archive" };
  const { kind } = await readArchiveFormat(file, subject);
  const archive = kind === "tar" ? await openTar(file, subject) : undefined;
  if (archive !== undefined && isContainerImage(archive.summary.top)) {
    progress("extracting the archive", 20);
    const layout = join(work, "layout");
    await mkdir(layout, { recursive: true, mode: 0o700 });
    await extractTar(archive, layout, subject);
    await using root = await openExactly(layout);
    return await unpackLayers(root, options);
  }
  const sha256 = await hashOf(file, signal);
  progress("extracting the archive", 20);
  const extract = (directory: string) =>
    archive === undefined ? extractZip(file, directory, subject) : extractTar(archive, directory, subject);
  await take({
    key: `root-${sha256}`,
    fill: async (directory) => {
      await extract(directory);
      await liftOnlyDirectory(directory);
      return { hasWhiteouts: false };
    },
  });
  return noConfig;
}

/** Makes the only directory of a root filesystem its root, when it looks like one: many archives are packed one level too high. */
async function liftOnlyDirectory(root: string): Promise<void> {
  const [only, another] = await readdir(root);
  if (only === undefined || another !== undefined || rootNames.has(only)) return;
  const inner = join(root, only);
  if (!(await lstat(inner)).isDirectory()) return;
  if (!(await readdir(inner)).some((name) => rootNames.has(name))) return;
  const lifted = `${root}.lifted`;
  await rm(lifted, { recursive: true, force: true });
  await rename(inner, lifted);
  await rm(root, { recursive: true });
  await rename(lifted, root);
}

/** Each layer is extracted on its own, where no link of another can lead it anywhere. */
async function unpackLayers(root: OpenImage["file"], options: UnpackOptions): Promise<ImageConfig> {
  const { signal, progress } = options;
  const layout: ImageLayout = { root, field: options.field };
  const { layers, config } = await readImage(layout, new Set(await readdir(`/proc/self/fd/${root.fd}`)));
  for (const [index, layer] of layers.entries()) {
    progress(`extracting layer ${index + 1} of ${layers.length}`, 20 + (75 * index) / layers.length);
    const subject = { ...options, what: `layer ${index + 1} of the image` };
    const { file, sha256 } = await openLayer(layout, layer, signal);
    await using _closed = file;
    await options.take({
      key: `layer-${sha256}`,
      fill: async (directory) => {
        const archive = await openTar(file, subject);
        await extractTar(archive, directory, subject);
        return archive.summary;
      },
    });
  }
  return config;
}
