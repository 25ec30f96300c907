import { access, mkdir, mkdtemp, rename, rm, statfs } from "node:fs/promises";
import { join } from "node:path";
import { invalidArgument, resourceExhausted } from "../../../lib/errors.js";
import { quote } from "../../../lib/names.js";
import type { CrunOptions } from "../../../proto/gen/zor/v1/instance.js";
import { run, ToolError } from "../../host/exec.js";
import type { CallOptions, DriverInstance, Progress } from "../driver.js";
import { getMicroImage, microName, type ResolvedImage, resolveImage } from "../images.js";
import { canOverlay, inMountNamespace, type RootMount } from "./mount-namespace.js";
import { checkTarListing } from "./tar-listing.js";

/** Proto path of the image's name. */
const field = "instance.spec.crun.rootfs";
/** Extracting and copying may take minutes. */
const copyTimeoutMs = 600_000;

/** Finds the image of a container. @throws {ZorError} INVALID_ARGUMENT, FAILED_PRECONDITION */
export async function findRootfsImage(
  imageDirectories: readonly string[],
  options: CrunOptions,
): Promise<ResolvedImage> {
  if (options.rootfs === microName) {
    return { path: (await getMicroImage(imageDirectories, field)).rootfs, type: "file", sizeBytes: 0 };
  }
  const image = await resolveImage(imageDirectories, options.rootfs, { field, accept: ["file", "directory"] });
  if (image.type === "file" && !/\.(tar|tar\.gz|tgz|tar\.zst)$/.test(image.path)) {
    throw invalidArgument(
      field,
      `${quote(options.rootfs)} is neither a directory nor a .tar, .tar.gz, .tgz or .tar.zst file`,
    );
  }
  return image;
}

/** The root filesystem of one container, below its directory: `base` as extracted, `upper` its changes, `rootfs` where it is mounted. */
export class Rootfs {
  readonly #directory: string;
  readonly #overlay: boolean;

  /** @param overlay whether the host can overlay; otherwise the image is copied. */
  constructor(instance: DriverInstance, overlay: boolean) {
    this.#directory = instance.directory;
    this.#overlay = overlay;
  }

  /** Extracts an archive. Idempotent; what an earlier attempt left is replaced. */
  async create(image: ResolvedImage, options: CallOptions & { readonly progress: Progress }): Promise<void> {
    await this.remove();
    if (image.type === "directory") return;
    options.progress("checking the archive", 5);
    await checkArchive(image.path, this.#directory, options.signal);
    options.progress("extracting the archive", 20);
    const scratch = this.#path("base.new");
    await mkdir(scratch, { mode: 0o755 });
    // Everything in /dev is made by the runtime.
    const exclude = ["--anchored", "--exclude=./dev/*", "--exclude=dev/*"];
    const keep = ["--numeric-owner", "--same-owner", "--same-permissions", "--delay-directory-restore"];
    const attributes = ["--xattrs", "--xattrs-include=security.capability"];
    await run(
      "tar",
      ["--extract", `--file=${image.path}`, `--directory=${scratch}`, ...exclude, ...keep, ...attributes],
      {
        signal: options.signal,
        timeoutMs: copyTimeoutMs,
      },
    );
    await rename(scratch, this.#path("base"));
    options.progress("extracted", 100);
  }

  /** Makes it ready for a start and tells what to mount. Changes of the last run are kept only when `persistent`. */
  async prepare(image: ResolvedImage, persistent: boolean, signal: AbortSignal): Promise<RootMount> {
    const base = image.type === "directory" ? image.path : this.#path("base");
    const [upper, work, target] = ["upper", "work", "rootfs"].map((name) => this.#path(name)) as [
      string,
      string,
      string,
    ]; // three names, three paths
    if (this.#overlay && canOverlay([base, upper, work])) {
      if (!persistent) await rm(upper, { recursive: true, force: true });
      await rm(work, { recursive: true, force: true });
      for (const path of [upper, work, target]) await mkdir(path, { recursive: true, mode: 0o755 });
      return { kind: "overlay", lower: base, upper, work, target };
    }
    if (!persistent) await rm(target, { recursive: true, force: true });
    if (!(await exists(target))) {
      const scratch = this.#path("rootfs.new");
      await rm(scratch, { recursive: true, force: true });
      await run("cp", ["--archive", "--reflink=auto", "--one-file-system", "--", base, scratch], {
        signal,
        timeoutMs: copyTimeoutMs,
      });
      await rename(scratch, target);
    }
    return { kind: "bind", target };
  }

  /** Removes everything of it. Idempotent. */
  async remove(): Promise<void> {
    for (const name of ["base", "base.new", "upper", "work", "rootfs", "rootfs.new"]) {
      await rm(this.#path(name), { recursive: true, force: true });
    }
  }

  #path(name: string): string {
    return join(this.#directory, name);
  }
}

/** Whether the host can overlay directories on the file system of `directory`: found out by doing it. */
export async function probeOverlay(directory: string): Promise<boolean> {
  const root = await mkdtemp(join(directory, "overlay-probe-"));
  try {
    const [lower, upper, work, target] = ["lower", "upper", "work", "rootfs"].map((name) => join(root, name)) as [
      string,
      string,
      string,
      string,
    ]; // four names, four paths
    for (const path of [lower, upper, work, target]) await mkdir(path);
    const cgroups = { version: "none", hybrid: false, controllers: new Set<never>(), enter: [] } as const;
    const mount: RootMount = { kind: "overlay", lower, upper, work, target };
    const [tool, ...argv] = inMountNamespace(["true"], { cgroups, root: mount });
    await run(tool, argv);
    return true;
  } catch (error) {
    if (error instanceof ToolError) return false;
    throw error;
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

async function checkArchive(path: string, directory: string, signal: AbortSignal): Promise<void> {
  const listing = await run(
    "tar",
    ["--list", "--verbose", "--numeric-owner", "--quoting-style=escape", `--file=${path}`],
    {
      signal,
      timeoutMs: copyTimeoutMs,
    },
  ).catch((error: unknown) => {
    if (error instanceof ToolError && error.exitCode === 2) throw invalidArgument(field, "the archive cannot be read");
    throw error;
  });
  const { bytes } = checkTarListing(field, listing.stdout);
  const { bavail, bsize } = await statfs(directory);
  if (bytes > bavail * bsize) {
    throw resourceExhausted(
      "DISK_FULL",
      `the archive needs ${bytes} bytes and the host's disk has ${bavail * bsize} free`,
    );
  }
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
