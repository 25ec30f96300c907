import { type FileHandle, lstat, open, readlink } from "node:fs/promises";
import { join } from "node:path";
import { holdInRoot, openExactly, openHeld } from "../../host/open-exactly.js";
import { isOpaque } from "./overlay-marks.js";

/** A root filesystem that is looked at from outside. */
export interface RootView {
  /** Opens a file or directory as a process inside would find it, through no link that leads out; undefined when there is none. */
  open(path: string): Promise<FileHandle | undefined>;
}

const maxLinks = 40;
const maxReadBytes = 1024 * 1024;

/** A root filesystem in one directory. */
export function viewDirectory(root: FileHandle): RootView {
  return {
    open: async (path) => {
      try {
        using held = holdInRoot(root, path);
        return await openHeld(held);
      } catch {
        // Missing, a loop of links, a device.
        return undefined;
      }
    },
  };
}

/** A root filesystem in a directory of ours. */
export function viewDirectoryAt(path: string): RootView {
  return {
    open: async (inside) => {
      await using root = await openExactly(path);
      return await viewDirectory(root).open(inside);
    },
  };
}

/** A root filesystem of layers, as overlayfs shows them. @param layers directories that nobody writes to, the uppermost first. */
export function viewLayers(layers: readonly string[]): RootView {
  return {
    open: async (path) => {
      const found = await find(layers, path).catch(() => undefined);
      if (found === undefined) return undefined;
      const kind = await lstat(found);
      return kind.isFile() || kind.isDirectory() ? await open(found, "r") : undefined;
    },
  };
}

/** Text of a file of the root; undefined when there is none, or one that is larger than any of its kind. */
export async function readText(root: RootView, path: string): Promise<string | undefined> {
  await using file = await root.open(path);
  const found = await file?.stat();
  if (file === undefined || found?.isFile() !== true || found.size > maxReadBytes) return undefined;
  return await file.readFile("utf8");
}

/** Where overlayfs finds a path: walks it name by name, and keeps which layers have part in each directory. */
async function find(layers: readonly string[], path: string): Promise<string | undefined> {
  let rest = path.split("/").filter((name) => name !== "" && name !== ".");
  const above: (readonly string[])[] = [];
  let here = layers;
  for (let links = 0; ; ) {
    const name = rest.shift();
    if (name === undefined) return here[0];
    if (name === "..") {
      here = above.pop() ?? layers;
      continue;
    }
    const next = await step(here, name);
    if (next.length === 0) return undefined;
    const [top = ""] = next;
    const kind = await lstat(top);
    if (kind.isSymbolicLink()) {
      links += 1;
      if (links > maxLinks) return undefined;
      const target = await readlink(top);
      rest = [...target.split("/").filter((each) => each !== "" && each !== "."), ...rest];
      if (!target.startsWith("/")) continue;
      above.length = 0;
      here = layers;
      continue;
    }
    if (!kind.isDirectory()) return rest.length === 0 ? top : undefined;
    above.push(here);
    here = next;
  }
}

/** What a name means in a directory: a file, or the directories that are one. */
async function step(parents: readonly string[], name: string): Promise<readonly string[]> {
  const found: string[] = [];
  for (const parent of parents) {
    const path = join(parent, name);
    const kind = await lstat(path).catch(() => undefined);
    if (kind === undefined) continue;
    if (!kind.isDirectory()) {
      const isWhiteout = kind.isCharacterDevice() && kind.rdev === 0;
      return found.length > 0 || isWhiteout ? found : [path];
    }
    found.push(path);
    if (isOpaque(path)) break;
  }
  return found;
}
