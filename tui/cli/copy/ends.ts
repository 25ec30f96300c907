import { randomBytes } from "node:crypto";
import { lstat, realpath, stat } from "node:fs/promises";
import { basename, dirname, resolve } from "node:path";
import { invalidArgument, notFound, resourceExhausted, ZorError } from "../../../lib/errors.js";
import type { Connection } from "../../../lib/grpc/connection.js";
import { timeLimit } from "../../../lib/time-limit.js";
import { Dir } from "../../../lib/tree/dir.js";
import { packTree } from "../../../lib/tree/pack.js";
import { readTar } from "../../../lib/tree/tar-reader.js";
import { writeTar } from "../../../lib/tree/tar-writer.js";
import type { TreeItem } from "../../../lib/tree/tree.js";
import { unpackTree } from "../../../lib/tree/unpack.js";
import { type GuestScript, runInGuest } from "./guest-run.js";

/** How to copy. */
export interface CopyOptions {
  readonly signal: AbortSignal;
  readonly owners: boolean;
  readonly onSkipped: (what: string, lost?: boolean) => void;
  /** Told what tar inside says that no error tells. */
  readonly onSaid: (line: string) => void;
}

/** One end of a copy: a place here, or inside an instance. */
export interface CopyEnd {
  /** Last name of the path, which a copy into a directory gets. */
  readonly base: string;
  read(options: CopyOptions): AsyncIterable<TreeItem>;
  /** Writes a tree: into the place when it is a directory, else as the place. */
  write(items: AsyncIterable<TreeItem>, base: string, options: CopyOptions): Promise<void>;
}

/** Arguments: path. Its last name is never followed, what is before it is. */
const readScript = `p=$1; [ -e "$p" ] || [ -L "$p" ] || { echo "$p does not exist" >&2; exit 1; }
command -v tar >/dev/null || { echo "there is no tar inside, which copying needs" >&2; exit 1; }
b=$(basename -- "$p") d=$(dirname -- "$p"); exec tar -c -f - -C "$d" "./$b"`;

/**
 * Arguments: path, name of what comes, id, "p" to keep owners or "o". What comes has that id as its name until it is whole; a directory that
 * is there is added to.
 */
const writeScript = `p=$1 n=$2 i=$3 k=$4
command -v tar >/dev/null || { echo "there is no tar inside, which copying needs" >&2; exit 1; }
case $p in */) [ -d "$p" ] || { echo "$p is no directory" >&2; exit 1; } ;; esac
if [ -d "$p" ]; then d=$p; else d=$(dirname -- "$p") n=$(basename -- "$p"); fi
[ -d "$d" ] || { echo "$d is no directory" >&2; exit 1; }
t=$d/.zor-cp-$i; mkdir -m 700 "$t" || exit 1
trap 'rm -rf "$t"' EXIT
trap 'exit 1' HUP INT TERM
o=; [ "$k" = p ] || o=-o
tar -x -p $o -f - -C "$t" || exit 1
if [ -d "$t/$i" ] && [ ! -L "$t/$i" ] && [ -d "$d/$n" ] && [ ! -L "$d/$n" ]; then
  { tar -c -f - -C "$t/$i" . || : >"$t/failed"; } | tar -x -p -f - -C "$d/$n" || exit 1
  [ ! -e "$t/failed" ] || exit 1
elif [ -d "$d/$n" ] && [ ! -L "$d/$n" ]; then echo "$d/$n is a directory" >&2; exit 1
else mv -f "$t/$i" "$d/$n" || exit 1; fi`;

/** Arguments: path, id. */
const cleanScript = `for d in "$1" "$(dirname -- "$1")"; do rm -rf "$d/.zor-cp-$2"; done`;
const cleanLimitMs = 5000;

/** A place inside an instance, reached through tar there. */
export function guestEnd(connection: Connection, name: string, path: string): CopyEnd {
  if (!path.startsWith("/")) throw invalidArgument("path", `${JSON.stringify(path)} must be absolute: INSTANCE:/PATH`);
  if (basename(path) === "..") throw noName(path);
  const run = (script: string, words: readonly string[], how: Pick<GuestScript, "signal" | "onSaid" | "input">) =>
    runInGuest(connection, { ...how, name, script, words });
  return {
    base: basename(path),
    read: ({ signal, onSaid }) => {
      if (basename(path) === "")
        throw invalidArgument("path", "the whole of an instance cannot be copied; name a directory in it");
      return readTar(run(readScript, [path], { signal, onSaid }));
    },
    write: async (items, base, { signal, owners, onSkipped, onSaid }) => {
      const id = randomBytes(6).toString("hex");
      const words = [path, base, id, owners ? "p" : "o"];
      let isWhole = false;
      try {
        const shown = reporting(items, onSkipped);
        const input = writeTar(shown, id);
        for await (const _ of run(writeScript, words, { signal, onSaid, input })) signal.throwIfAborted();
        isWhole = true;
      } catch (error) {
        throw isFull(error) ? doesNotFit(name, base, path) : error;
      } finally {
        if (!isWhole) await drained(run(cleanScript, [path, id], { signal: timeLimit(cleanLimitMs) }));
      }
    },
  };
}

/** A place on this machine. */
export function localEnd(path: string): CopyEnd {
  return {
    base: basename(resolve(path)),
    read: async function* () {
      const whole = resolve(path);
      await lstat(whole).catch(() => {
        throw notFound(path, "give the path of a file or directory of this machine");
      });
      await using dir = await Dir.open(dirname(whole), { shown: dirname(whole), plainOnly: false });
      yield* packTree(dir, basename(whole));
    },
    write: async (items, base, { owners, onSkipped }) => {
      const whole = resolve(path);
      const isDirectory = await stat(whole).then(
        (found) => found.isDirectory(),
        () => false,
      );
      if (!isDirectory && path.endsWith("/")) throw notFound(path, "make the directory first");
      const parent = isDirectory ? await realpath(whole) : dirname(whole);
      await using dir = await Dir.open(parent, { shown: parent, plainOnly: false });
      await unpackTree(dir, items, { name: isDirectory ? base : basename(whole), owners, onSkipped });
    },
  };
}

/** What tar inside says of a full disk names no file. */
function isFull(error: unknown): boolean {
  return (
    error instanceof ZorError &&
    error.reason === "COPY_FAILED" &&
    /No space left on device|Disk quota exceeded/.test(error.message)
  );
}

/** What a copy would be called is the last name of its path. */
export function noName(path: string): ZorError {
  return invalidArgument("path", `${JSON.stringify(path)} must end in the name of what is meant`);
}

function doesNotFit(name: string, base: string, path: string): ZorError {
  const what = `${JSON.stringify(base)} does not fit at ${JSON.stringify(path)}`;
  const remedy = "make room there, or give the instance a larger disk, and copy it again";
  return resourceExhausted("COPY_DISK_FULL", `${name}: ${what}: the file system inside is full; ${remedy}`, name);
}

async function* reporting(
  items: AsyncIterable<TreeItem>,
  onSkipped: CopyOptions["onSkipped"],
): AsyncGenerator<TreeItem> {
  for await (const item of items) {
    if (item.type === "skipped") onSkipped(item.what, item.lost);
    else if (item.type === "copy")
      onSkipped(`${item.path.join("/")} is a hard link, which is not carried from instance to instance`, true);
    else yield item;
  }
}

async function drained(stream: AsyncIterable<Buffer>): Promise<void> {
  try {
    await Array.fromAsync(stream, () => undefined);
  } catch {
    // It is gone, and with it what would have been removed.
  }
}
