import { TreeError } from "../../../lib/tree/dir.js";
import { toPath } from "../../../lib/tree/tar-reader.js";
import { type TreeEntry, treeLimits } from "../../../lib/tree/tree.js";

/** What an instance is asked to run. */
export type RunInside = (
  script: string,
  words: readonly string[],
  input?: AsyncIterable<Buffer>,
) => AsyncIterable<Buffer>;

/** What is known of an entry before it is copied. */
export type EntryFacts = Pick<TreeEntry, "path" | "type" | "mode" | "mtime" | "size">;

/** A tree inside, as far as it could be read. */
export interface GuestList {
  readonly entries: readonly EntryFacts[];
  /** What cannot be had here, for people; lost is what a copy should have. */
  readonly odd: readonly { readonly what: string; readonly isLost: boolean }[];
  /** What could not be listed. */
  readonly failure: unknown;
}

/** Names and times are held in memory. */
const maxListBytes = 128 * 2 ** 20;
/** Of the words of one command, and how many they are. */
const maxWordBytes = 16 * 1024;
const maxWords = 200;
const types: ReadonlyMap<number, EntryFacts["type"]> = new Map([
  [0o100000, "file"],
  [0o040000, "directory"],
  [0o120000, "symlink"],
]);

/** Arguments: directory, mark. Prints the mark, what it is and the name of each entry: a name may hold whatever it wants but the mark. */
const listScript = `cd -- "$1" && exec find . -exec stat -c "$2 %f %s %Y %n" -- {} +`;
/** Arguments: directory, names. Prints a digest for each, or something else. */
const digestsScript = `cd -- "$1" && shift && for f do if [ -f "$f" ] && [ ! -L "$f" ]; then sha256sum <"$f" || echo none; else echo none; fi; done`;

/** Lists a directory inside with all that is below it. @param mark what no name can hold: chosen anew each time. */
export async function listInside(run: RunInside, directory: string, mark: string): Promise<GuestList> {
  const pieces: Buffer[] = [];
  let [length, failure] = [0, undefined as unknown];
  try {
    for await (const data of run(listScript, [directory, mark])) {
      length += data.length;
      if (length > maxListBytes) throw new TreeError(`${directory} holds too many files; copy it in parts`);
      pieces.push(data);
    }
  } catch (error) {
    if (length === 0 || error instanceof TreeError) throw error;
    failure = error;
  }
  const entries: EntryFacts[] = [];
  const odd: GuestList["odd"][number][] = [];
  const text = Buffer.concat(pieces).toString("latin1").replace(/\n$/, "");
  const [, ...parts] = `\n${text}`.split(`\n${mark} `);
  for (const part of parts) {
    const [, raw = "", size = "", time = "", bytes = ""] = /^([0-9a-f]+) (\d+) (-?\d+) (.*)$/s.exec(part) ?? [];
    const name = Buffer.from(bytes, "latin1").toString("utf8");
    const mode = Number.parseInt(raw, 16);
    const type = types.get(mode & 0o170000);
    if (Buffer.from(name).toString("latin1") !== bytes)
      odd.push({ what: `${name}: its name is not UTF-8`, isLost: true });
    else if (type !== undefined) {
      const facts = { type, mode: mode & 0o777, mtime: Number(time), size: type === "file" ? Number(size) : 0 };
      entries.push({ ...facts, path: toPath(name, false) });
    } else if (bytes !== "") odd.push({ what: `${name} is neither file, directory nor link`, isLost: false });
    if (entries.length > treeLimits.entries) throw new TreeError(`${directory} holds too many files; copy it in parts`);
  }
  return { entries, odd, failure };
}

/** Digests of files below a directory inside, in order; something else for one that cannot be read. */
export async function digestsInside(
  run: RunInside,
  directory: string,
  names: readonly string[],
): Promise<readonly string[]> {
  let text = "";
  const most = names.length * 100;
  for await (const data of run(digestsScript, [directory, ...names]))
    if (text.length <= most) text += data.toString("latin1");
  const lines = text.split("\n");
  return names.map((_, at) => /^[0-9a-f]{64}\b/.exec(lines[at] ?? "")?.[0] ?? "");
}

/** Entries in groups that one command takes. @param weightOf bytes that come with one, of which a group has so many at most. */
export function* inGroups<T extends Pick<EntryFacts, "path">>(
  entries: Iterable<T>,
  weightOf: (entry: T) => number = () => 0,
  mostBytes = 1,
): Generator<readonly T[]> {
  let [group, words, weight] = [[] as T[], 0, 0];
  for (const entry of entries) {
    const own = Buffer.byteLength(wordOf(entry)) + 1;
    const isFull = group.length >= maxWords || words + own > maxWordBytes || weight + weightOf(entry) > mostBytes;
    if (group.length > 0 && isFull) {
      yield group;
      [group, words, weight] = [[], 0, 0];
    }
    group.push(entry);
    words += own;
    weight += weightOf(entry);
  }
  if (group.length > 0) yield group;
}

/** How an entry is called inside, from the directory. */
export function wordOf({ path }: Pick<EntryFacts, "path">): string {
  return `./${path.join("/")}`;
}
