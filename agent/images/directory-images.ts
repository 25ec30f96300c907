import { type FSWatcher, watch } from "node:fs";
import { open, readdir, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { isId } from "../../lib/names.js";
import { microName } from "../drivers/images.js";
import { isQcow2, parseQcow2Header } from "../drivers/qemu/qcow2.js";
import { lookAt } from "./file-start.js";
import { recognise } from "./image-content.js";

/** What lies in an image directory, as far as it can be seen without reading it. */
export interface DirectoryImage {
  readonly id: string;
  readonly path: string;
  readonly format: string;
  readonly architecture: string;
  readonly sizeBytes: number;
  readonly virtualSizeBytes: number;
  /** Path of the image that it is only the difference to. */
  readonly backing?: string;
  readonly changeTime: Date;
  /** Changes whenever the file does. */
  readonly hint: string;
}

const settleMs = 200;
const retryMs = 30_000;
const maxPerDirectory = 1000;

/**
 * The images in the image directories of the agent: what people put there. The directories are watched; a file is looked at when it is
 * new or has changed, and never because somebody asks. What lies deeper can be used, but is not shown.
 */
export class DirectoryImages {
  readonly #directories: readonly string[];
  readonly #onChange: (ids: readonly string[]) => void;
  readonly #watchers = new Map<string, FSWatcher>();
  #images: ReadonlyMap<string, DirectoryImage> = new Map();
  #over: ReadonlyMap<string, readonly string[]> = new Map();
  #changed: NodeJS.Timeout | undefined;
  #retry: NodeJS.Timeout | undefined;
  #reading: Promise<void> = Promise.resolve();
  #isClosed = false;

  constructor(directories: readonly string[], onChange: (ids: readonly string[]) => void) {
    this.#directories = directories;
    this.#onChange = onChange;
  }

  list(): readonly DirectoryImage[] {
    return [...this.#images.values()];
  }

  find(id: string): DirectoryImage | undefined {
    return this.#images.get(id);
  }

  /** Ids of those that are only the difference to one of these files. */
  over(paths: readonly string[]): readonly string[] {
    return paths.flatMap((path) => this.#over.get(path) ?? []);
  }

  /** The image whose file has a path. */
  at(path: string): DirectoryImage | undefined {
    const image = this.#images.get(basename(path));
    return image?.path === path ? image : undefined;
  }

  /** Looks at all directories once and begins to watch them. */
  async begin(): Promise<void> {
    this.#watch();
    await this.refresh();
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#changed);
    clearTimeout(this.#retry);
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
  }

  /** Looks at what has changed. */
  async refresh(): Promise<void> {
    const turn = this.#reading.then(() => this.#read());
    this.#reading = turn.catch(() => undefined);
    await turn;
  }

  #watch(): void {
    for (const directory of this.#directories) {
      if (this.#watchers.has(directory)) continue;
      try {
        const watcher = watch(directory, { persistent: false }, () => this.#soon());
        watcher.on("error", () => this.#unwatch(directory));
        this.#watchers.set(directory, watcher);
      } catch {
        this.#later();
      }
    }
  }

  /** Something happens in a directory: looks once it is quiet. */
  #soon(): void {
    clearTimeout(this.#changed);
    if (!this.#isClosed) this.#changed = setTimeout(() => this.#again(), settleMs).unref();
  }

  /** A directory cannot be watched: it is not there, and somebody may make it. */
  #later(): void {
    if (this.#isClosed) return;
    this.#retry ??= setTimeout(() => {
      this.#retry = undefined;
      this.#again();
    }, retryMs).unref();
  }

  #again(): void {
    this.#watch();
    this.refresh().catch(() => undefined);
  }

  #unwatch(directory: string): void {
    this.#watchers.get(directory)?.close();
    this.#watchers.delete(directory);
    this.#later();
  }

  async #read(): Promise<void> {
    const found = new Map<string, DirectoryImage>();
    for (const directory of this.#directories) {
      const there = await readdir(directory).catch(() => undefined);
      // Another of that name would not be watched.
      if (there === undefined) this.#unwatch(directory);
      const names = (there ?? []).filter(isId).sort();
      for (const name of names.slice(0, maxPerDirectory)) {
        if (found.has(name)) continue;
        const image = await this.#look(name, join(directory, name)).catch(() => undefined);
        if (image !== undefined) found.set(name, image);
      }
    }
    const before = this.#images;
    const changed = [...found].filter(([id, image]) => before.get(id) !== image).map(([id]) => id);
    const gone = [...before.keys()].filter((id) => !found.has(id));
    this.#images = found;
    this.#over = byBacking([...found.values()]);
    if (changed.length + gone.length > 0) this.#onChange([...changed, ...gone]);
  }

  async #look(id: string, path: string): Promise<DirectoryImage | undefined> {
    const found = await stat(path);
    const { dev, ino, size, mtimeMs, ctimeMs } = found;
    const hint = [path, dev, ino, size, mtimeMs, ctimeMs].join(" ");
    const known = this.#images.get(id);
    if (known?.hint === hint) return known;
    const common = { id, path, hint, changeTime: new Date(mtimeMs), architecture: "" };
    if (found.isDirectory()) {
      return { ...common, format: await formatOfDirectory(id, path), sizeBytes: 0, virtualSizeBytes: 0 };
    }
    if (!found.isFile()) return undefined;
    await using file = await open(path, "r");
    const ends = await lookAt(file);
    const overlay = readOverlay(ends.start, path);
    if (overlay !== undefined) return { ...common, ...overlay, format: "qcow2", sizeBytes: size };
    const recognised = recognise(ends);
    const content =
      recognised.is === "content"
        ? recognised.content
        : { format: recognised.is === "packed" ? recognised.by : "unknown", virtualSizeBytes: 0, architecture: "" };
    return { ...common, ...content, sizeBytes: size };
  }
}

function byBacking(images: readonly DirectoryImage[]): ReadonlyMap<string, readonly string[]> {
  const over = new Map<string, string[]>();
  for (const { id, backing } of images) {
    if (backing === undefined) continue;
    const ids = over.get(backing) ?? [];
    ids.push(id);
    over.set(backing, ids);
  }
  return over;
}

/** Of a qcow2 image over another one: which, and the size of its disk. Where instances are made of it, all of that is looked at anew. */
function readOverlay(
  start: Buffer,
  path: string,
): { readonly backing: string; readonly virtualSizeBytes: number } | undefined {
  if (!isQcow2(start)) return undefined;
  try {
    const { backingFile, virtualSizeBytes } = parseQcow2Header(start);
    if (backingFile === undefined) return undefined;
    return { backing: resolve(dirname(path), backingFile), virtualSizeBytes: Number(virtualSizeBytes) };
  } catch {
    return undefined;
  }
}

async function formatOfDirectory(id: string, path: string): Promise<string> {
  const names = new Set(await readdir(path).catch(() => []));
  if (id === microName && names.has("manifest.json") && names.has("vmlinuz")) return "micro";
  return names.has("oci-layout") ? "oci" : "directory";
}
