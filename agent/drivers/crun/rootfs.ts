import { mkdir, readdir, rename, rm, symlink } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { failedPrecondition } from "../../../lib/errors.js";
import { exists, readIfExists, writeFileAtomic } from "../../../lib/files.js";
import type { CrunOptions } from "../../../proto/gen/zor/v1/crun.js";
import { run } from "../../host/exec.js";
import { openExactly } from "../../host/open-exactly.js";
import type { DiskQuota } from "../disk-quota.js";
import type { CallOptions, DriverInstance, Progress } from "../driver.js";
import { microName, type OpenImage, openImage, openMicroFile } from "../images.js";
import { type ImageConfig, isContainerImage, noConfig } from "./container-image.js";
import { type UnpackedLayer, unpackImage } from "./image-unpack.js";
import { mergeLayer } from "./layer-merge.js";
import type { LayerStore } from "./layer-store.js";
import type { MergedRoot } from "./merged-root.js";
import { canOverlay, type LowerLayers, type RootMount, type WritableLayer } from "./mount-namespace.js";
import { toOverlayMarks } from "./overlay-marks.js";
import { type RootView, viewDirectory, viewDirectoryAt, viewLayers } from "./root-view.js";
import { readArchiveFormat } from "./tar-archive.js";
import { type MountSupport, makeLayerImage } from "./writable-layer.js";

/** Proto path of the image's name. */
const field = "instance.spec.crun.rootfs";
/** Copying may take minutes. */
const copyTimeoutMs = 600_000;

/** Opens the image of a container and looks what it is. @throws {ZorError} INVALID_ARGUMENT, FAILED_PRECONDITION */
export async function openRootfsImage(imageDirectories: readonly string[], options: CrunOptions): Promise<OpenImage> {
  if (options.rootfs === microName) return await openMicroFile(imageDirectories, "rootfs", field);
  await using opened = new AsyncDisposableStack();
  const image = opened.use(await openImage(imageDirectories, options.rootfs, { field, accept: ["file", "directory"] }));
  if (image.type === "file") await readArchiveFormat(image.file, { field, what: "the image" });
  opened.move();
  return image;
}

/** What a root filesystem is made with. */
export interface RootfsOptions {
  readonly mounts: MountSupport;
  readonly quota: DiskQuota;
  readonly layers: LayerStore;
}

/** A root filesystem that is ready to be mounted. */
export interface PreparedRoot {
  readonly mount: RootMount;
  /** It as it is without the container's changes. */
  readonly view: RootView;
}

/** What of an image is kept with the container: the image may be another by the next start. */
const storedSchema = z.object({
  /** Keys of its layers in the store, the uppermost first; undefined: it is a directory, or was merged. */
  layers: z.array(z.string().regex(/^(root|layer)-[0-9a-f]{64}$/)).optional(),
  config: z.object({
    environment: z.record(z.string(), z.string()).readonly(),
    entrypoint: z.array(z.string()).readonly(),
    command: z.array(z.string()).readonly(),
    workingDirectory: z.string(),
    user: z.string(),
  }),
});
type StoredImage = z.output<typeof storedSchema>;

/**
 * The root filesystem of one container, below its directory: `image.json` says of what it is made; `base` is that where it cannot be
 * put together of layers; its changes are in `layer`, which is a directory or where the file system in `layer.img` is mounted; `rootfs`
 * where the whole is mounted.
 */
export class Rootfs {
  readonly #instance: DriverInstance;
  readonly #mounts: MountSupport;
  readonly #quota: DiskQuota;
  readonly #layers: LayerStore;

  constructor(instance: DriverInstance, { mounts, quota, layers }: RootfsOptions) {
    this.#instance = instance;
    this.#mounts = mounts;
    this.#quota = quota;
    this.#layers = layers;
  }

  /**
   * Extracts an archive or those layers of a container image that the host does not have yet, and promises the container its room.
   * Idempotent; what an earlier attempt left is replaced. Resolves to what the image says of how it is run.
   */
  async create(
    image: OpenImage,
    options: CallOptions & { readonly progress: Progress },
  ): Promise<{ readonly config: ImageConfig; readonly view: RootView }> {
    await this.remove();
    await using undo = new AsyncDisposableStack();
    undo.defer(() => this.remove());
    await this.#promise();
    const stored = await this.#unpack(image, options);
    await writeFileAtomic(this.#path("image.json"), JSON.stringify(stored));
    undo.move();
    return { config: stored.config, view: await this.#view(image, stored) };
  }

  /** Makes it ready for a start and tells what to mount. Changes of the last run are kept only when `persistent`. The image stays open until it is mounted. */
  async prepare(
    image: OpenImage,
    options: { readonly persistent: boolean; readonly signal: AbortSignal },
  ): Promise<PreparedRoot> {
    const { persistent, signal } = options;
    await this.#promise();
    const stored = await this.#stored();
    const view = await this.#view(image, stored);
    const [writable, target, layerImage] = [this.#path("layer"), this.#path("rootfs"), this.#path("layer.img")];
    if (!persistent) await this.#removeChanges();
    if (this.#canOverlay(stored)) {
      const layer = await this.#layer(layerImage, persistent, signal);
      for (const path of [writable, target]) await mkdir(path, { recursive: true, mode: 0o755 });
      if (layer.kind === "directory") await rm(join(writable, "work"), { recursive: true, force: true });
      const lower = await this.#lower(image, stored);
      return { mount: { kind: "overlay", lower, layer, writable, target }, view };
    }
    const base = (await exists(this.#path("base"))) ? this.#path("base") : pathOf(image);
    if (this.#quota.containerMib === 0) return { mount: await this.#copy(base, target, signal), view };
    if (!this.#mounts.loop) throw this.#unbounded();
    if (!(await exists(layerImage))) {
      const sizeMib = this.#quota.containerMib + (await usedMib(base, signal));
      await makeWhole(layerImage, { sizeMib, journal: persistent, content: base, signal });
    }
    await mkdir(target, { recursive: true, mode: 0o755 });
    return { mount: { kind: "image", image: layerImage, target }, view };
  }

  /** What it writes is where others can read it; otherwise it is in memory that the container alone sees. */
  get keepsOnDisk(): boolean {
    return this.#quota.containerMib === 0 || this.#mounts.loop;
  }

  /** The whole of it, with changes that were copied into another directory under the names that they have here. */
  async merged(image: OpenImage, copied: string): Promise<MergedRoot> {
    const stored = await this.#stored();
    const [layerImage, layer, whole] = ["layer.img", "layer", "rootfs"].map((name) => join(copied, name)) as [
      string,
      string,
      string,
    ]; // three names, three paths
    const hasImage = await exists(layerImage);
    if (this.#canOverlay(stored)) {
      const lower = await this.#lower(image, stored);
      if (hasImage) return { kind: "overlay", lower, changes: { kind: "image", path: layerImage } };
      const kind = (await exists(layer)) ? "directory" : "none";
      return { kind: "overlay", lower, changes: { kind, path: layer } };
    }
    if (hasImage) return { kind: "image", path: layerImage };
    if (await exists(whole)) return { kind: "directory", path: whole };
    return { kind: "directory", path: (await exists(this.#path("base"))) ? this.#path("base") : pathOf(image) };
  }

  /** Has it stand over what another one stands over, which its image may be no more. What it has written stays. */
  async standOver(other: Rootfs, signal: AbortSignal): Promise<void> {
    const stored = await other.#stored();
    const { uid } = this.#instance;
    await this.#layers.release(uid);
    for (const key of stored.layers ?? []) {
      await this.#layers.use(uid, key, () =>
        Promise.reject(new Error(`layer ${key} of ${other.#instance.name} is gone`)),
      );
    }
    const [base, scratch] = [this.#path("base"), this.#path("base.new")];
    await rm(base, { recursive: true, force: true });
    if (await exists(other.#path("base"))) {
      await rm(scratch, { recursive: true, force: true });
      await run("cp", ["--archive", "--reflink=auto", "--", other.#path("base"), scratch], {
        signal,
        timeoutMs: copyTimeoutMs,
      });
      await rename(scratch, base);
    }
    await writeFileAtomic(this.#path("image.json"), JSON.stringify(stored));
  }

  /** What the image said of how it is run when the container was made. */
  async config(): Promise<ImageConfig> {
    return (await this.#stored()).config;
  }

  /** Removes everything of it. Idempotent. */
  async remove(): Promise<void> {
    for (const name of ["base", "base.new", "unpack", "lower", "image.json"]) {
      await rm(this.#path(name), { recursive: true, force: true });
    }
    await this.#removeChanges();
    await this.#layers.release(this.#instance.uid);
    await this.#quota.release(this.#instance.uid);
  }

  async #removeChanges(): Promise<void> {
    for (const name of ["layer", "layer.img", "layer.img.new", "rootfs", "rootfs.new"]) {
      await rm(this.#path(name), { recursive: true, force: true });
    }
  }

  async #promise(): Promise<void> {
    const { uid, name } = this.#instance;
    const mib = this.#quota.containerMib;
    if (mib > 0) await this.#quota.promise({ uid, resource: name, mib, file: this.#path("layer.img") });
  }

  /** Where changes go. A file system of a size is made once and stays for persistent ones. */
  async #layer(image: string, persistent: boolean, signal: AbortSignal): Promise<WritableLayer> {
    const sizeMib = this.#quota.containerMib;
    if (sizeMib === 0) return { kind: "directory" };
    if (this.#mounts.loop) {
      if (!(await exists(image))) await makeWhole(image, { sizeMib, journal: persistent, signal });
      return { kind: "image", image };
    }
    if (persistent) throw this.#unbounded();
    return { kind: "tmpfs", sizeMib };
  }

  async #copy(base: string, target: string, signal: AbortSignal): Promise<RootMount> {
    if (!(await exists(target))) {
      const scratch = this.#path("rootfs.new");
      await rm(scratch, { recursive: true, force: true });
      await run("cp", ["--archive", "--reflink=auto", "--one-file-system", "--", `${base}/.`, scratch], {
        signal,
        timeoutMs: copyTimeoutMs,
      });
      await rename(scratch, target);
    }
    return { kind: "bind", target };
  }

  #canOverlay({ layers }: StoredImage): boolean {
    const paths = layers === undefined ? [] : [this.#layers.layersDirectory];
    return this.#mounts.overlay && canOverlay([this.#path("layer"), ...paths]);
  }

  async #unpack(image: OpenImage, options: CallOptions & { readonly progress: Progress }): Promise<StoredImage> {
    const isImage = image.type === "directory" && isContainerImage(new Set(await readdir(pathOf(image))));
    if (image.type === "directory" && !isImage) return { config: noConfig };
    const spareBytes = () => this.#quota.spareBytes();
    const common = { field, work: this.#path("unpack"), spareBytes, ...options };
    if (!this.#canOverlay({ layers: [], config: noConfig })) {
      const scratch = this.#path("base.new");
      await mkdir(scratch, { mode: 0o755 });
      const config = await unpackImage(image, { ...common, take: (layer) => this.#merge(layer, scratch) });
      await rename(scratch, this.#path("base"));
      return { config };
    }
    const layers: string[] = [];
    const take = async (layer: UnpackedLayer) => {
      layers.unshift(layer.key);
      await this.#layers.use(this.#instance.uid, layer.key, async (directory) => {
        const { hasWhiteouts } = await layer.fill(directory);
        if (hasWhiteouts) await toOverlayMarks(directory);
      });
    };
    const config = await unpackImage(image, { ...common, take });
    options.progress("extracted", 100);
    return { layers, config };
  }

  async #merge(layer: UnpackedLayer, base: string): Promise<void> {
    const directory = this.#path("unpack/layer");
    await mkdir(directory, { recursive: true, mode: 0o755 });
    await layer.fill(directory);
    await mergeLayer(directory, base);
    await rm(directory, { recursive: true });
  }

  async #stored(): Promise<StoredImage> {
    const text = await readIfExists(this.#path("image.json"));
    // An agent that knew of no layers has made it.
    if (text === undefined) return { config: noConfig };
    return storedSchema.parse(JSON.parse(text));
  }

  /** The root filesystem as it is without changes: the names are short, since all of them must fit in one page. */
  async #lower(image: OpenImage, { layers }: StoredImage): Promise<LowerLayers> {
    if (layers === undefined) {
      const base = this.#path("base");
      if (await exists(base)) return { home: base, id: await identify(base), names: ["."] };
      const { dev, ino } = await image.file.stat({ bigint: true });
      return { home: image.path, id: `${dev}:${ino}`, names: ["."] };
    }
    const home = this.#path("lower");
    await rm(home, { recursive: true, force: true });
    await mkdir(home, { mode: 0o700 });
    // An image without layers is an empty root.
    if (layers.length === 0) return { home, names: ["."] };
    for (const [index, key] of layers.entries()) await symlink(this.#layers.treeOf(key), join(home, `${index}`));
    return { home, names: layers.map((_, index) => `${index}`) };
  }

  async #view(image: OpenImage, { layers }: StoredImage): Promise<RootView> {
    if (layers !== undefined) return viewLayers(layers.map((key) => this.#layers.treeOf(key)));
    const base = this.#path("base");
    return (await exists(base)) ? viewDirectoryAt(base) : viewDirectory(image.file);
  }

  #unbounded(): Error {
    const { name } = this.#instance;
    return failedPrecondition(
      "NO_LOOP_DEVICES",
      name,
      `${name}: the host has no loop devices, so what this container writes could not be bounded; load the kernel module loop, or set disk.containerMib to 0 in the agent's settings`,
    );
  }

  #path(name: string): string {
    return join(this.#instance.directory, name);
  }
}

async function makeWhole(path: string, options: Parameters<typeof makeLayerImage>[1]): Promise<void> {
  await makeLayerImage(`${path}.new`, options);
  await rename(`${path}.new`, path);
}

/** The open image itself, by a path that leads to nothing else as long as it is open, for tools too. */
function pathOf({ file }: OpenImage): string {
  return `/proc/${process.pid}/fd/${file.fd}`;
}

async function identify(path: string): Promise<string> {
  await using directory = await openExactly(path);
  const { dev, ino } = await directory.stat({ bigint: true });
  return `${dev}:${ino}`;
}

async function usedMib(directory: string, signal: AbortSignal): Promise<number> {
  const { stdout } = await run("du", ["--summarize", "--one-file-system", "--block-size=1M", "--", directory], {
    signal,
    timeoutMs: copyTimeoutMs,
  });
  return Number.parseInt(stdout, 10);
}
