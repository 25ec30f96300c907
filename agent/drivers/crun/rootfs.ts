import { access, mkdir, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { failedPrecondition, invalidFields } from "../../../lib/errors.js";
import type { CrunOptions } from "../../../proto/gen/zor/v1/crun.js";
import { run } from "../../host/exec.js";
import { openExactly } from "../../host/open-exactly.js";
import type { DiskQuota } from "../disk-quota.js";
import type { CallOptions, DriverInstance, Progress } from "../driver.js";
import { microName, type OpenImage, openImage, openMicroFile } from "../images.js";
import { isContainerImage } from "./container-image.js";
import { liftOnlyDirectory, unpackImage } from "./image-unpack.js";
import { canOverlay, type KnownDirectory, type RootMount, type WritableLayer } from "./mount-namespace.js";
import { checkFirstProgram, type FirstProgram } from "./program-check.js";
import { readArchiveArguments } from "./tar-archive.js";
import { type MountSupport, makeLayerImage } from "./writable-layer.js";

/** Proto path of the image's name. */
const field = "instance.spec.crun.rootfs";
/** Copying may take minutes. */
const copyTimeoutMs = 600_000;
const defaultShell = "/bin/sh";

/** Opens the image of a container and looks what it is. @throws {ZorError} INVALID_ARGUMENT, FAILED_PRECONDITION */
export async function openRootfsImage(imageDirectories: readonly string[], options: CrunOptions): Promise<OpenImage> {
  if (options.rootfs === microName) return await openMicroFile(imageDirectories, "rootfs", field);
  await using opened = new AsyncDisposableStack();
  const image = opened.use(await openImage(imageDirectories, options.rootfs, { field, accept: ["file", "directory"] }));
  if (image.type === "file") await readArchiveArguments(image.file, { field, what: "the image" });
  opened.move();
  return image;
}

/** The command of a container, and its environment. */
export function firstProgramOf({ rootfs, command, environment }: CrunOptions): FirstProgram {
  if (command.length > 0) return { command, environment, isDefault: false };
  return { command: [rootfs === microName ? "/init" : defaultShell], environment, isDefault: true };
}

/** What a root filesystem is made with. */
export interface RootfsOptions {
  readonly mounts: MountSupport;
  readonly quota: DiskQuota;
}

/**
 * The root filesystem of one container, below its directory: `base` as extracted; its changes in `layer`, which is a directory or
 * where the file system in `layer.img` is mounted; `rootfs` where the whole is mounted.
 */
export class Rootfs {
  readonly #instance: DriverInstance;
  readonly #mounts: MountSupport;
  readonly #quota: DiskQuota;

  constructor(instance: DriverInstance, { mounts, quota }: RootfsOptions) {
    this.#instance = instance;
    this.#mounts = mounts;
    this.#quota = quota;
  }

  /**
   * Extracts an archive or the layers of a container image, looks whether the command can run, and promises the container its room.
   * Idempotent; what an earlier attempt left is replaced.
   */
  async create(
    image: OpenImage,
    program: FirstProgram,
    options: CallOptions & { readonly progress: Progress },
  ): Promise<void> {
    await this.remove();
    await using undo = new AsyncDisposableStack();
    undo.defer(() => this.remove());
    await this.#promise();
    const isImage = image.type === "directory" && isContainerImage(new Set(await readdir(pathOf(image))));
    if (image.type === "file" || isImage) {
      const scratch = this.#path("base.new");
      await mkdir(scratch, { mode: 0o755 });
      const spareBytes = () => this.#quota.spareBytes();
      await unpackImage(image, { field, target: scratch, work: this.#path("unpack"), spareBytes, ...options });
      await liftOnlyDirectory(scratch);
      await rename(scratch, this.#path("base"));
      options.progress("extracted", 100);
    }
    await this.#check(image, program);
    undo.move();
  }

  /** Makes it ready for a start and tells what to mount. Changes of the last run are kept only when `persistent`. The image stays open until it is mounted. */
  async prepare(
    image: OpenImage,
    options: { readonly persistent: boolean; readonly program: FirstProgram; readonly signal: AbortSignal },
  ): Promise<RootMount> {
    const { persistent, program, signal } = options;
    // What a persistent container has installed itself cannot be seen from here.
    if (!persistent) await this.#check(image, program);
    await this.#promise();
    const [writable, target, layerImage] = [this.#path("layer"), this.#path("rootfs"), this.#path("layer.img")];
    const overlay = this.#mounts.overlay && canOverlay([writable]);
    if (!persistent) await this.#removeChanges();
    if (overlay) {
      const layer = await this.#layer(layerImage, persistent, signal);
      for (const path of [writable, target]) await mkdir(path, { recursive: true, mode: 0o755 });
      if (layer.kind === "directory") await rm(join(writable, "work"), { recursive: true, force: true });
      return { kind: "overlay", lower: await this.#lower(image), layer, writable, target };
    }
    const base = (await exists(this.#path("base"))) ? this.#path("base") : pathOf(image);
    if (this.#quota.containerMib === 0) return await this.#copy(base, target, signal);
    if (!this.#mounts.loop) throw this.#unbounded();
    if (!(await exists(layerImage))) {
      const sizeMib = this.#quota.containerMib + (await usedMib(base, signal));
      await makeWhole(layerImage, { sizeMib, journal: persistent, content: base, signal });
    }
    await mkdir(target, { recursive: true, mode: 0o755 });
    return { kind: "image", image: layerImage, target };
  }

  /** Removes everything of it. Idempotent. */
  async remove(): Promise<void> {
    for (const name of ["base", "base.new", "unpack"]) await rm(this.#path(name), { recursive: true, force: true });
    await this.#removeChanges();
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

  /** The root filesystem as it is without changes. */
  async #lower(image: OpenImage): Promise<KnownDirectory> {
    const base = this.#path("base");
    if (await exists(base)) return { path: base, id: await identify(base) };
    const { dev, ino } = await image.file.stat({ bigint: true });
    return { path: image.path, id: `${dev}:${ino}` };
  }

  async #check(image: OpenImage, program: FirstProgram): Promise<void> {
    const base = this.#path("base");
    await using opened = (await exists(base)) ? await openExactly(base) : undefined;
    const violations = await checkFirstProgram(opened ?? image.file, program);
    if (violations.length > 0) throw invalidFields(violations, this.#instance.name);
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

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
