/** An entry of a tree of files that is on its way. */
export interface TreeEntry {
  /** Names from the top of the tree; none: the top itself. */
  readonly path: readonly string[];
  readonly type: "file" | "directory" | "symlink";
  /** Permissions, 0o7777 at most. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Seconds since the epoch. */
  readonly mtime: number;
  /** Bytes of a file. */
  readonly size: number;
  /** Where a symbolic link points. */
  readonly target: string;
}

/** A tree, in order: a file's data follow its entry, directories come before what is in them. */
export type TreeItem =
  | { readonly type: "entry"; readonly entry: TreeEntry }
  | { readonly type: "data"; readonly data: Buffer }
  /** A hard link to a file that came before. */
  | { readonly type: "copy"; readonly path: readonly string[]; readonly of: readonly string[] }
  /** What is not carried: a device, a socket, a name that is not UTF-8. Lost: it may hold what somebody wanted, unlike the others. */
  | { readonly type: "skipped"; readonly what: string; readonly lost?: boolean }
  /** The last of a tree that came to its end, and yet whoever sent it says that something is missing or wrong. */
  | { readonly type: "incomplete"; readonly error: unknown };

/** What a tree may be at most, wherever it comes from. */
export const treeLimits = {
  depth: 200,
  pathBytes: 4096,
  nameBytes: 255,
  entries: 5_000_000,
  /** Names of directories that are held at a time, since they are put in order. */
  listed: 1_000_000,
  fileBytes: 2 ** 50,
  /** Of all names that must be kept in memory. */
  namesBytes: 512 * 2 ** 20,
  /** Of hard links that become files of their own, where the file system has none. */
  copiedBytes: 2 ** 30,
} as const;
