import type { TreeEntry, TreeItem } from "./tree.js";

const blockBytes = 512;
/** Largest size that eleven octal digits say. */
const maxOctal = 8 ** 11 - 1;

/** Writes a tree as a tar archive (ustar, pax where that is too small) whose top has the given name. Copies and what was skipped are left out. @throws what is said of a tree that is not complete. */
export async function* writeTar(items: AsyncIterable<TreeItem>, top: string): AsyncGenerator<Buffer> {
  let padding = 0;
  for await (const item of items) {
    if (item.type === "data") {
      yield item.data;
      continue;
    }
    if (item.type === "incomplete") throw item.error;
    if (item.type !== "entry") continue;
    if (padding > 0) yield Buffer.alloc(padding);
    const { entry } = item;
    yield headersOf(entry, [top, ...entry.path].join("/"));
    padding = (blockBytes - (entry.size % blockBytes)) % blockBytes;
  }
  yield Buffer.alloc(padding + 2 * blockBytes);
}

function headersOf(entry: TreeEntry, name: string): Buffer {
  const path = entry.type === "directory" ? `${name}/` : name;
  const records = [
    ...(Buffer.byteLength(path) > 100 ? [record("path", path)] : []),
    ...(Buffer.byteLength(entry.target) > 100 ? [record("linkpath", entry.target)] : []),
    ...(entry.size > maxOctal ? [record("size", String(entry.size))] : []),
  ];
  const own = header(entry, path);
  if (records.length === 0) return own;
  const content = Buffer.from(records.join(""));
  const extended = { ...entry, size: content.length, target: "", mode: 0o644 };
  const padded = Buffer.alloc(Math.ceil(content.length / blockBytes) * blockBytes);
  content.copy(padded);
  return Buffer.concat([header(extended, "pax", "x"), padded, own]);
}

const types = { file: "0", directory: "5", symlink: "2" } as const;

function header(
  { type, mode, uid, gid, size, mtime, target }: TreeEntry,
  path: string,
  kind: string = types[type],
): Buffer {
  const block = Buffer.alloc(blockBytes);
  Buffer.from(path).copy(block, 0, 0, 100);
  const octal = (value: number, at: number, length: number): void => {
    const most = 8 ** (length - 1) - 1;
    block.write(
      Math.min(Math.max(0, Math.floor(value)), most)
        .toString(8)
        .padStart(length - 1, "0"),
      at,
      "latin1",
    );
  };
  octal(mode, 100, 8);
  octal(uid, 108, 8);
  octal(gid, 116, 8);
  octal(size, 124, 12);
  octal(mtime, 136, 12);
  block.write("        ", 148, "latin1");
  block.write(kind, 156, "latin1");
  Buffer.from(target).copy(block, 157, 0, 100);
  block.write("ustar\x0000", 257, "latin1");
  octal(
    block.reduce((sum, byte) => sum + byte, 0),
    148,
    7,
  );
  return block;
}

/** A record says how long it is, itself included. */
function record(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`;
  const bytes = Buffer.byteLength(rest);
  let length = bytes + String(bytes).length;
  length = bytes + String(length).length;
  return `${length}${rest}`;
}
