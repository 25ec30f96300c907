import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, open, realpath, rename, stat, unlink } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { failedPrecondition, invalidArgument, unavailable, ZorError } from "../../../lib/errors.js";
import type { Calls } from "../../../lib/grpc/connection.js";
import { timeLimit } from "../../../lib/time-limit.js";
import { explained } from "../../../lib/tree/dir.js";
import { writeSparse } from "../../../lib/tree/write-sparse.js";
import { runInGuest } from "./guest-run.js";

/** A copy of one file that goes on where an earlier one was cut off. */
export interface Resumed {
  readonly connection: Pick<Calls, "bidi">;
  /** Resource name of the instance. */
  readonly name: string;
  /** Absolute path inside. */
  readonly inside: string;
  /** Path of this machine. */
  readonly here: string;
  readonly signal: AbortSignal;
  /** Told where it goes on, and how far it is. */
  readonly onBytes: (bytes: number) => void;
  /** Told of files that are whole, where there are several. */
  readonly onFiles?: (count: number) => void;
  readonly note: (text: string) => void;
  /** Both paths are those of the file, also where there are directories; this is how the one here is called for people. */
  readonly shown?: string;
}

const pieceBytes = 256 * 1024;
const removeLimitMs = 5000;
const changeReason = "FILE_CHANGED";
const { O_CREAT, O_RDONLY, O_RDWR, O_NOFOLLOW, O_NONBLOCK } = constants;

/** Argument: path. Prints size, time and permissions of a file. */
const statScript = `p=$1; [ -f "$p" ] && [ ! -L "$p" ] || { echo "$p is no plain file, and only those go on where they were cut off" >&2; exit 1; }
exec stat -c '%s %Y %a' -- "$p"`;
/** Arguments: path, bytes. Prints the digest of the beginning. */
const digestScript = `head -c "$2" -- "$1" | sha256sum`;
/** Arguments: path, number of the first byte, from 1. */
const tailScript = `exec tail -c "+$2" -- "$1"`;
/** Arguments: path, name here, key. Prints how much of it there is, and where it will be, behind NULs: names may hold lines. */
const partScript = `p=$1; if [ -d "$p" ]; then p=\${p%/}/$2; fi; d=$(dirname -- "$p"; echo .); d=\${d%??}
[ -d "$d" ] || { echo "$d is no directory" >&2; exit 1; }
if [ -d "$p" ]; then echo "$p is a directory" >&2; exit 1; fi
t=$d/.zor-part-$3; [ ! -L "$t" ] || rm -f -- "$t"; [ -f "$t" ] && wc -c <"$t" || echo 0; printf '\\0%s\\0%s' "$t" "$p"`;
/** Arguments: part, bytes that are right of it. Takes the rest. */
const appendScript = `if [ "$2" = 0 ]; then cat >"$1"; else cat >>"$1"; fi`;
/** Arguments: part, path, size, permissions, time. */
const finishScript = `[ "$(wc -c <"$1")" -eq "$3" ] || { echo "less came than was said" >&2; exit 1; }
chmod "$4" -- "$1" && touch -d "@$5" -- "$1" && mv -f -- "$1" "$2"`;

/** Copies a file out of an instance; what came before stays when it is cut off. @throws {ZorError} */
export async function resumeOut(copy: Resumed): Promise<void> {
  const { inside, here, name, onBytes, shown = here } = copy;
  const was = await statOf(copy);
  const target = copy.shown === undefined ? await targetOf(here, basename(inside)) : here;
  const part = join(dirname(target), `.zor-part-${keyOf(name, inside, was.size, was.modified)}`);
  const file = await open(part, O_CREAT | O_RDWR | O_NOFOLLOW, 0o600).catch((error: unknown) => {
    throw explained(error, part);
  });
  let at = 0;
  try {
    at = await goOnAt(file, was.size, (bytes) => digestOf(copy, inside, bytes));
    if (at > 0) copy.note(`going on after ${at} bytes that are right`);
    await file.truncate(at);
    onBytes(at);
    for await (const data of run(copy, tailScript, [inside, `${at + 1}`])) {
      if (at + data.length > was.size) throw changed(copy);
      await writeSparse(file, data, at);
      at += data.length;
      // What is a hole counts as well when it is cut off.
      await file.truncate(at);
      onBytes(data.length);
    }
    const now = await statOf(copy);
    if (at !== was.size || now.size !== was.size || now.modified !== was.modified) throw changed(copy);
    await file.chmod(was.mode & 0o777);
    await file.utimes(was.modified, was.modified);
    await file.sync();
    await rename(part, target);
  } catch (error) {
    if (at === 0 || isChange(error)) await unlink(part).catch(() => undefined);
    else
      copy.note(
        `what came is kept in ${copy.shown === undefined ? part : join(dirname(shown), basename(part))}; the same command goes on there`,
      );
    throw explained(error, shown);
  } finally {
    await file.close();
  }
}

/** Copies a file into an instance; what came before stays there when it is cut off. @throws {ZorError} */
export async function resumeIn(copy: Resumed): Promise<void> {
  const { inside, here, name, onBytes, shown = here } = copy;
  const whole = resolve(here);
  const flags = O_RDONLY | O_NONBLOCK | (copy.shown === undefined ? 0 : O_NOFOLLOW);
  const file = await open(whole, flags).catch((error: unknown) => {
    throw explained(error, shown);
  });
  let kept: { readonly part: string; at: number } | undefined;
  try {
    const was = await file.stat();
    if (!was.isFile()) throw invalidArgument("--resume", `${shown} is no plain file, and only those go on`);
    const { size, mode } = was;
    const modified = Math.floor(was.mtimeMs / 1000);
    const key = keyOf(name, inside, size, modified);
    const told = await textOf(copy, partScript, [inside, basename(whole), key]);
    const [found = "0", part = "", target = ""] = told.split("\0");
    const there = Number.parseInt(found, 10) || 0;
    const isRight =
      there > 0 && there <= size && (await digestOf(copy, part, there)) === (await digestHere(file, there));
    const at = isRight ? there : 0;
    if (at > 0) copy.note(`going on after ${at} bytes that are right`);
    onBytes(at);
    const sent = { part, at };
    kept = sent;
    async function* rest(): AsyncGenerator<Buffer> {
      for (let from = at; from < size; ) {
        const { buffer, bytesRead } = await file.read(Buffer.alloc(Math.min(pieceBytes, size - from)), 0, null, from);
        if (bytesRead === 0) throw changed(copy);
        from += bytesRead;
        sent.at = from;
        onBytes(bytesRead);
        yield buffer.subarray(0, bytesRead);
      }
    }
    await drained(run(copy, appendScript, [part, `${at}`], rest()));
    const now = await file.stat();
    if (now.size !== size || now.mtimeMs !== was.mtimeMs) throw changed(copy);
    const words = [part, target, `${size}`, (mode & 0o777).toString(8), `${modified}`];
    await drained(run(copy, finishScript, words));
  } catch (error) {
    if (kept !== undefined && (kept.at === 0 || isChange(error))) await remove(copy, kept.part);
    else if (kept !== undefined) copy.note(`what came is kept inside in ${kept.part}; the same command goes on there`);
    throw error;
  } finally {
    await file.close();
  }
}

/** What a file inside is. @throws {ZorError} for what is no plain file. */
async function statOf(copy: Resumed): Promise<{ size: number; modified: number; mode: number }> {
  const [size, modified, mode] = (await textOf(copy, statScript, [copy.inside])).trim().split(" ");
  const found = { size: Number(size), modified: Number(modified), mode: Number.parseInt(mode ?? "", 8) };
  if (Object.values(found).every((value) => Number.isSafeInteger(value)) && found.size >= 0) return found;
  throw unavailable("COPY_LOST", copy.name, `${copy.name}: it does not tell what ${copy.inside} is`);
}

async function targetOf(here: string, base: string): Promise<string> {
  const isDirectory = async (path: string) => (await stat(path).catch(() => undefined))?.isDirectory() === true;
  const whole = resolve(here);
  if (!(await isDirectory(whole))) return whole;
  const target = join(await realpath(whole), base);
  if (await isDirectory(target)) throw invalidArgument("to", `${target} is a directory`);
  return target;
}

/** How much of what is there is right. */
async function goOnAt(file: FileHandle, size: number, digest: (bytes: number) => Promise<string>): Promise<number> {
  const there = await file.stat();
  if (!there.isFile()) throw invalidArgument("--resume", "what is in the way is no plain file");
  if (there.size === 0 || there.size > size) return 0;
  return (await digest(there.size)) === (await digestHere(file, there.size)) ? there.size : 0;
}

async function digestHere(file: FileHandle, bytes: number): Promise<string> {
  const hash = createHash("sha256");
  for (let at = 0; at < bytes; ) {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(Math.min(pieceBytes, bytes - at)), 0, null, at);
    if (bytesRead === 0) break;
    hash.update(buffer.subarray(0, bytesRead));
    at += bytesRead;
  }
  return hash.digest("hex");
}

async function digestOf(copy: Resumed, path: string, bytes: number): Promise<string> {
  return /^[0-9a-f]{64}/.exec(await textOf(copy, digestScript, [path, `${bytes}`]))?.[0] ?? "";
}

/** What is copied, in a name that no other copy has. */
function keyOf(...words: readonly (string | number)[]): string {
  return createHash("sha256").update(JSON.stringify(words)).digest("hex").slice(0, 16);
}

function run(
  { connection, name, signal }: Resumed,
  script: string,
  words: readonly string[],
  input?: AsyncIterable<Buffer>,
): AsyncGenerator<Buffer> {
  return runInGuest(connection, { name, script, words, signal, ...(input === undefined ? {} : { input }) });
}

/** Nothing goes on with what was copied of a file that is another now. */
export function isChange(error: unknown): boolean {
  return error instanceof ZorError && error.reason === changeReason;
}

/** Removes what is inside as well as can be. */
async function remove(copy: Resumed, part: string): Promise<void> {
  const again = { ...copy, signal: timeLimit(removeLimitMs) };
  await drained(run(again, `rm -f -- "$1"`, [part])).catch(() => undefined);
}

const maxTextBytes = 64 * 1024;

async function textOf(copy: Resumed, script: string, words: readonly string[]): Promise<string> {
  let text = "";
  for await (const data of run(copy, script, words)) if (text.length < maxTextBytes) text += data.toString("utf8");
  return text;
}

async function drained(stream: AsyncIterable<Buffer>): Promise<void> {
  for await (const _ of stream);
}

function changed({ name, inside }: Resumed): Error {
  return failedPrecondition(
    changeReason,
    name,
    `${name}: ${inside} or what is copied to it changed meanwhile; try again`,
  );
}
