import { createHash, randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { stat, unlink, writeFile } from "node:fs/promises";
import { basename, dirname, join as joinPath, resolve } from "node:path";
import { failedPrecondition, messageOf, ZorError } from "../../../lib/errors.js";
import { exists } from "../../../lib/files.js";
import { timeLimit } from "../../../lib/time-limit.js";
import { Dir, TreeError } from "../../../lib/tree/dir.js";
import { readTar } from "../../../lib/tree/tar-reader.js";
import { writeTar } from "../../../lib/tree/tar-writer.js";
import type { TreeItem } from "../../../lib/tree/tree.js";
import { parentOf, unpackTree } from "../../../lib/tree/unpack.js";
import { runInGuest } from "./guest-run.js";
import { digestsInside, type EntryFacts, inGroups, listInside, type RunInside, wordOf } from "./guest-tree.js";
import { isChange, type Resumed, resumeIn, resumeOut } from "./resume.js";
import { alike, digestOf, isAlike, listHere, numbered, permit } from "./tree-here.js";

/** Files up to this come together, each whole or not at all; larger ones go on in their middle. */
const smallBytes = 2 ** 20;
const groupBytes = 8 * 2 ** 20;
const cleanLimitMs = 5000;
/** Several times what a path may have. */
const maxTextBytes = 64 * 1024;
const markFlags = constants.O_CREAT | constants.O_WRONLY | constants.O_NOFOLLOW;

/** Arguments: directory, names. */
const packScript = `cd -- "$1" && shift && exec tar -c -f - "$@"`;
/**
 * Arguments: path, name of what comes, mark. Makes the directory that is copied to, and prints its path. The mark tells one that was made
 * for this copy from one that it goes into.
 */
const topScript = `p=$1; if [ -d "$p" ] && [ ! -f "$p/$3" ]; then p=\${p%/}/$2; fi
if [ -L "$p" ]; then echo "$p is a symbolic link, which is not followed" >&2; exit 1; fi
if [ ! -d "$p" ]; then mkdir -- "$p" || exit 1; if [ "$p" = "$1" ]; then : >"$p/$3" || exit 1; fi; fi
printf '%s' "$p"`;
/** Arguments: directory, names of directories, each after that which it is in. */
const makeScript = `cd -- "$1" && shift || exit 1
for f do if [ -L "$f" ]; then echo "$f is a symbolic link, which is not followed" >&2; exit 1; fi
[ -d "$f" ] || mkdir -m 700 -- "$f" || exit 1; done`;
/** Arguments: directory, names of links that files take the place of. */
const unlinkScript = `cd -- "$1" && shift || exit 1; for f do [ ! -L "$f" ] || rm -f -- "$f" || exit 1; done`;
/** Arguments: directory, id, names. What comes is called by numbers until it is whole. */
const placeScript = `cd -- "$1" || exit 1; t=./.zor-cp-$2; shift 2; mkdir -m 700 "$t" || exit 1
trap 'rm -rf "$t"' EXIT
trap 'exit 1' HUP INT TERM
tar -x -p -o -f - -C "$t" || exit 1
n=0; for f do m=$t/$n; n=$((n + 1)); if [ ! -e "$m" ] && [ ! -L "$m" ]; then continue; fi
if [ -d "$f" ] && [ ! -L "$f" ]; then echo "$f is a directory" >&2; exit 1; fi
[ ! -L "$f" ] || rm -f -- "$f" || exit 1
mv -f -- "$m" "$f" || exit 1; done`;
/** Arguments: directory, and for each name permissions, time and the name. */
const finishScript = `cd -- "$1" && shift || exit 1
while [ $# -gt 0 ]; do chmod "$1" "$3" && touch -d "@$2" "$3" || exit 1; shift 3; done`;

/** Files that are not whole, as they are found; the copy goes on with the others. */
class Failures {
  readonly #copy: Resumed;
  readonly #told: string[] = [];

  constructor(copy: Resumed) {
    this.#copy = copy;
  }

  add(what: string): void {
    this.#copy.note(what);
    this.#told.push(what);
  }

  /** Does something about a file; only what concerns that file alone is kept for the end. */
  async during(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#copy.signal.throwIfAborted();
      if (!isOfFile(error)) throw error;
      this.add(messageOf(error));
    }
  }

  get none(): boolean {
    return this.#told.length === 0;
  }

  /** @throws {ZorError} FAILED_PRECONDITION when there are some. */
  assertNone(): void {
    if (this.none) return;
    const { name } = this.#copy;
    const what = `${this.#told.length} of what was told above are missing or changed; the rest is there, and the same command tries them again`;
    throw failedPrecondition("COPY_INCOMPLETE", name, `${name}: ${what}`);
  }
}

function isOfFile(error: unknown): boolean {
  if (error instanceof TreeError) return error.code !== "ENOSPC" && error.code !== "EDQUOT";
  return error instanceof ZorError && (isChange(error) || error.reason === "COPY_FAILED");
}

/** Whether what is inside, which must not be a link, is a directory. */
export async function isDirectoryInside(copy: Resumed): Promise<boolean> {
  let text = "";
  const script = `if [ -d "$1" ] && [ ! -L "$1" ]; then echo d; fi`;
  for await (const data of runOf(copy)(script, [copy.inside])) text = (text + data.toString("latin1")).slice(0, 8);
  return text.startsWith("d");
}

/** Copies a directory out of an instance. What is complete is not sent again, which size, time and digest of a file tell. @throws {ZorError} */
export async function resumeTreeOut(copy: Resumed): Promise<void> {
  const run = runOf(copy);
  const failures = new Failures(copy);
  const list = () => listInside(run, copy.inside, randomBytes(16).toString("hex"));
  const { entries, odd, failure } = await list();
  if (failure !== undefined) await failures.during(() => Promise.reject(failure));
  for (const { what, isLost } of odd) {
    if (isLost) failures.add(`left out: ${what}`);
    else copy.note(`left out: ${what}`);
  }
  const whole = resolve(copy.here);
  const mark = markOf(copy);
  const isInto = (await isDirectory(whole)) && !(await exists(joinPath(whole, mark)));
  const [parent, name] = isInto ? [whole, basename(copy.inside)] : [dirname(whole), basename(whole)];
  await using dir = await Dir.open(parent, { shown: parent, plainOnly: false });
  const unpack = (items: AsyncIterable<TreeItem>) =>
    unpackTree(dir, items, { name, owners: false, onSkipped: (what) => failures.add(`left out: ${what}`) });
  const directories = entries.filter(({ type }) => type === "directory");
  const open = directories.map((each) => ({ ...each, mode: each.mode | 0o700 }));
  // The mark comes first and goes last: a directory that is there without one is copied into.
  await unpack(asItems(open.filter(isTop)));
  if (!isInto) await withTop(dir, name, (top) => writeFile(top.at(mark), "", { flag: markFlags, mode: 0o600 }));
  await unpack(asItems(open));
  const files = entries.filter(({ type }) => type === "file");
  const had = await sameFiles({ copy, dir, name, inside: copy.inside }, await alike(dir, name, files));
  tellHad(copy, had);
  await permit(
    dir,
    name,
    files.filter((each) => had.has(wordOf(each))),
  );
  const wanted = files.filter((each) => !had.has(wordOf(each)));
  const links = entries.filter(({ type }) => type === "symlink");
  const small = wanted.filter(({ size }) => size <= smallBytes);
  for (const group of inGroups([...small, ...links], ({ size }) => size, groupBytes)) {
    const items = readTar(run(packScript, [copy.inside, ...group.map(wordOf)]), { hasTop: false });
    await failures.during(() => unpack(counted(items, copy)));
  }
  for (const file of wanted.filter(({ size }) => size > smallBytes)) {
    await failures.during(async () => {
      const place = await parentOf(dir, file.path, name);
      await using held = place.dir;
      const found = await held.find(place.name);
      if (found?.isDirectory() === true)
        throw new TreeError(`${held.show(place.name)} is in the way: it is a directory`);
      if (found?.isSymbolicLink() === true) await unlink(held.at(place.name));
      const paths = { inside: join(copy.inside, file), here: held.at(place.name), shown: held.show(place.name) };
      await resumeOut({ ...copy, ...paths });
      copy.onFiles?.(1);
    });
  }
  tellChanged(failures, files, (await list()).entries);
  await unpack(asItems(directories.filter((each) => !isTop(each))));
  if (failures.none && !isInto) await withTop(dir, name, (top) => unlink(top.at(mark)));
  await unpack(asItems(directories.filter(isTop)));
  failures.assertNone();
}

/** Copies a directory into an instance, likewise. @throws {ZorError} */
export async function resumeTreeIn(copy: Resumed): Promise<void> {
  const run = runOf(copy);
  const failures = new Failures(copy);
  const whole = resolve(copy.here);
  await using dir = await Dir.open(dirname(whole), { shown: dirname(whole), plainOnly: false });
  const name = basename(whole);
  const entries = await listHere(dir, name, (what, lost) => (lost ? failures.add(what) : copy.note(what)));
  const mark = markOf(copy);
  const inside = await textOf(run(topScript, [copy.inside, name, mark]));
  const there = await listInside(run, inside, randomBytes(16).toString("hex"));
  const found = new Map(there.entries.map((each) => [wordOf(each), each]));
  const blocked = entries.find((each) => each.type !== "directory" && found.get(wordOf(each))?.type === "directory");
  if (blocked !== undefined) throw new TreeError(`${join(inside, blocked)} is in the way: it is a directory`);
  const directories = entries.filter(({ type, path }) => type === "directory" && path.length > 0);
  for (const group of inGroups(directories)) await drained(run(makeScript, [inside, ...group.map(wordOf)]));
  const files = entries.filter(({ type }) => type === "file");
  const like = files.filter((each) => isAlike(found.get(wordOf(each)), each));
  const had = await sameFiles({ copy, dir, name, inside }, like);
  tellHad(copy, had);
  const wanted = files.filter((each) => !had.has(wordOf(each)));
  const small = [
    ...wanted.filter(({ size }) => size <= smallBytes),
    ...entries.filter(({ type }) => type === "symlink"),
  ];
  for (const group of inGroups(small, ({ size }) => size, groupBytes)) {
    const words = [inside, randomBytes(6).toString("hex"), ...group.map(wordOf)];
    const input = writeTar(counted(numbered(dir, name, { group, onUnread: (what) => failures.add(what) }), copy), ".");
    await failures.during(async () => {
      try {
        await drained(run(placeScript, words, input));
      } catch (error) {
        await clean(copy, words);
        throw error;
      }
    });
  }
  const large = wanted.filter(({ size }) => size > smallBytes);
  for (const group of inGroups(large)) await drained(run(unlinkScript, [inside, ...group.map(wordOf)]));
  for (const file of large) {
    await failures.during(async () => {
      const place = await parentOf(dir, file.path, name);
      await using held = place.dir;
      const paths = { inside: join(inside, file), here: held.at(place.name), shown: held.show(place.name) };
      await resumeIn({ ...copy, ...paths });
      copy.onFiles?.(1);
    });
  }
  const permitted = files.filter((each) => had.has(wordOf(each)) && found.get(wordOf(each))?.mode !== each.mode);
  tellChanged(failures, files, await listHere(dir, name, () => undefined));
  const finish = async (group: readonly EntryFacts[]): Promise<void> => {
    const words = group.flatMap((each) => [each.mode.toString(8), `${each.mtime}`, wordOf(each)]);
    await drained(run(finishScript, [inside, ...words]));
  };
  // The deepest first: what comes into a directory changes its time. The mark goes before the last of them.
  const deepest = [...directories].reverse();
  for (const group of inGroups([...permitted, ...deepest])) await finish(group);
  if (failures.none) await drained(run(`rm -f -- "$1"`, [joinPath(inside, mark)]));
  await finish(entries.filter(isTop));
  failures.assertNone();
}

/** Whether it is the directory itself that is copied. */
function isTop({ path }: Pick<EntryFacts, "path">): boolean {
  return path.length === 0;
}

/** Name of a file in a directory that was made for this copy, as long as it is not whole. */
function markOf({ name, inside, here }: Resumed): string {
  const words = JSON.stringify(["directory", name, inside, resolve(here)]);
  return `.zor-part-${createHash("sha256").update(words).digest("hex").slice(0, 16)}`;
}

async function isDirectory(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isDirectory() === true;
}

async function withTop(dir: Dir, name: string, work: (top: Dir) => Promise<void>): Promise<void> {
  await using top = await dir.enter(name);
  await work(top);
}

function tellHad({ note, onFiles }: Resumed, had: ReadonlySet<string>): void {
  if (had.size === 0) return;
  onFiles?.(had.size);
  note(`${had.size} files are there already`);
}

function runOf({ connection, name, signal, note }: Resumed): RunInside {
  return (script, words, input) =>
    runInGuest(connection, {
      ...{ name, script, words, signal },
      onSaid: (line) => note(`said inside: ${line}`),
      ...(input === undefined ? {} : { input }),
    });
}

function join(directory: string, { path }: Pick<EntryFacts, "path">): string {
  return [directory.replace(/\/+$/, ""), ...path].join("/");
}

async function* asItems(entries: readonly EntryFacts[]): AsyncGenerator<TreeItem> {
  for (const entry of entries) yield { type: "entry", entry: { ...entry, uid: 0, gid: 0, target: "" } };
}

async function* counted(
  items: AsyncIterable<TreeItem>,
  { onBytes, onFiles }: Pick<Resumed, "onBytes" | "onFiles">,
): AsyncGenerator<TreeItem> {
  for await (const item of items) {
    if (item.type === "data") onBytes(item.data.length);
    if (item.type === "entry") onFiles?.(1);
    yield item;
  }
}

interface Both {
  readonly copy: Resumed;
  readonly dir: Dir;
  readonly name: string;
  /** The directory inside. */
  readonly inside: string;
}

/** Words of those files that have the same content on both sides. */
async function sameFiles(
  { copy, dir, name, inside }: Both,
  files: readonly EntryFacts[],
): Promise<ReadonlySet<string>> {
  const same = new Set<string>();
  for (const group of inGroups(files)) {
    const digests = await digestsInside(runOf(copy), inside, group.map(wordOf));
    for (const [at, file] of group.entries()) {
      const place = await parentOf(dir, file.path, name);
      await using held = place.dir;
      if ((await digestOf(held, place.name)) === digests[at]) same.add(wordOf(file));
    }
  }
  return same;
}

/** Tells which files became others while they were copied. */
function tellChanged(failures: Failures, before: readonly EntryFacts[], after: readonly EntryFacts[]): void {
  const now = new Map(after.map((each) => [wordOf(each), each]));
  for (const file of before) {
    if (!isAlike(now.get(wordOf(file)), file)) failures.add(`${wordOf(file)} changed while it was copied`);
  }
}

/** Removes what is left of files that did not get their names, as well as can be. */
async function clean(copy: Resumed, [inside = "", id = ""]: readonly string[]): Promise<void> {
  const again = runOf({ ...copy, signal: timeLimit(cleanLimitMs) });
  await drained(again(`rm -rf "$1/.zor-cp-$2"`, [inside, id])).catch(() => undefined);
}

/** What a script says that names one thing. @throws {TreeError} when it says more: the guest may be hostile. */
async function textOf(stream: AsyncIterable<Buffer>): Promise<string> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const data of stream) {
    bytes += data.length;
    if (bytes > maxTextBytes) throw new TreeError("the instance answers with more than the path it was asked for");
    pieces.push(data);
  }
  return Buffer.concat(pieces).toString("utf8");
}

async function drained(stream: AsyncIterable<Buffer>): Promise<void> {
  for await (const _ of stream);
}
