import { mkdir, mkdtemp, open, rm } from "node:fs/promises";
import { join } from "node:path";
import { run, ToolError } from "../../host/exec.js";
import { inMountNamespace, type RootMount } from "./mount-namespace.js";

/** How root filesystems can be mounted on a host: found out by doing it. */
export interface MountSupport {
  readonly overlay: boolean;
  /** File systems in files, by loop devices. */
  readonly loop: boolean;
}

/** Making and filling one may take minutes. */
const fillTimeoutMs = 600_000;
const bytesPerMib = 1024 * 1024;
const probeMib = 4;

/**
 * Makes a file with an ext4 file system: the bound of what is written to it. The file takes room only as it is filled.
 * @param options.journal it must survive a crash. @param options.content directory to fill it with.
 */
export async function makeLayerImage(
  path: string,
  options: {
    readonly sizeMib: number;
    readonly journal: boolean;
    readonly content?: string;
    readonly signal?: AbortSignal;
  },
): Promise<void> {
  const { sizeMib, journal, content, signal } = options;
  await rm(path, { force: true });
  await using file = await open(path, "wx", 0o600);
  await file.truncate(sizeMib * bytesPerMib);
  const features = journal ? [] : ["-O", "^has_journal"];
  const fill = content === undefined ? [] : ["-d", content];
  // No blocks for root alone: root is who runs out of room there. A smaller ratio: root filesystems have many small files.
  const argv = [
    "-q",
    "-F",
    "-m",
    "0",
    "-i",
    "8192",
    "-E",
    "lazy_itable_init=1,lazy_journal_init=1,nodiscard",
    ...features,
    ...fill,
    path,
  ];
  await run("mkfs.ext4", argv, { signal, timeoutMs: fillTimeoutMs, env: { PATH: searchPath() } }).catch(
    (error: unknown) => {
      signal?.throwIfAborted();
      throw error;
    },
  );
}

/** Finds out what the host can mount on the file system of a directory. Undefined is never the answer: what fails is not there. */
export async function probeMounts(directory: string): Promise<MountSupport> {
  const root = await mkdtemp(join(directory, "mount-probe-"));
  try {
    const [lower, writable, target, image] = ["lower", "layer", "rootfs", "layer.img"].map((name) =>
      join(root, name),
    ) as [string, string, string, string]; // four names, four paths
    for (const path of [lower, writable, target]) await mkdir(path);
    await using held = await open(lower);
    const { dev, ino } = await held.stat({ bigint: true });
    const known = { home: lower, id: `${dev}:${ino}`, names: ["."] };
    const overlay = await works({ kind: "overlay", lower: known, layer: { kind: "directory" }, writable, target });
    const hasImage = await makeLayerImage(image, { sizeMib: probeMib, journal: false }).then(
      () => true,
      ignoreToolError,
    );
    return { overlay, loop: hasImage && (await works({ kind: "image", image, target })) };
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

async function works(root: RootMount): Promise<boolean> {
  const cgroups = { version: "none", hybrid: false, controllers: new Set<never>(), enter: [] } as const;
  const [tool, ...argv] = inMountNamespace(["true"], { cgroups, root });
  return await run(tool, argv).then(() => true, ignoreToolError);
}

function ignoreToolError(error: unknown): false {
  if (error instanceof ToolError) return false;
  throw error;
}

/** Agents started by hand often lack the directories of system programs. */
function searchPath(): string {
  return `${process.env["PATH"] ?? ""}:/usr/sbin:/sbin`;
}
