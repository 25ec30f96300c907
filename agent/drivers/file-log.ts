import { type LogPart, nothingMore, type OpenLog } from "../../lib/logs/open-log.js";
import type { LogRequest } from "./abilities/logs.js";
import { type FileChunk, FileChanges, FileTail } from "./file-tail.js";

/** Turns what a file holds into parts of a log. */
export interface FileDecoder {
  push(chunk: FileChunk): readonly LogPart[];
}

/** A log that a file holds. */
export interface FileLogOptions {
  readonly path: string;
  readonly decoder: FileDecoder;
  readonly request: Pick<LogRequest, "follow" | "resume" | "signal">;
  /** More of the past is not given. */
  readonly maxPastBytes: number;
  /** Whether nothing more will be written. */
  readonly hasEnded: () => Promise<boolean>;
}

/** Files are bounded by their writers to about what is given of them; with what is beside the text they take a few times that. */
const maxReadTimes = 16;
/** A line that is longer is cut there. */
const maxLineBytes = 1024 * 1024;

/** Opens a log that somebody else writes to a file. No more is read of it than is taken; what is cut off meanwhile is missed. */
export async function openFileLog(options: FileLogOptions): Promise<OpenLog> {
  const { path, request } = options;
  const closing = new AbortController();
  const signal = AbortSignal.any([request.signal, closing.signal]);
  const changes = request.follow ? new FileChanges(path) : undefined;
  const tail = new FileTail(path);
  const close = async (): Promise<void> => {
    closing.abort();
    changes?.close();
    await tail.close();
  };
  let past: readonly LogPart[];
  try {
    past = await readPast(tail, options);
  } catch (error) {
    await close();
    throw error;
  }
  const { resume } = request;
  const resumed = resume !== undefined && past.some(({ end }) => end?.log === resume.log);
  if (resumed) past = past.filter(({ end }) => end?.log !== resume.log || end.at > resume.at);
  return {
    past,
    resumed,
    live: changes === undefined ? nothingMore : follow(options, { tail, changes, signal }),
    close,
  };
}

/** What there is of a file, at its end: somebody who writes faster than this reads is not caught up with. */
async function readPast(
  tail: FileTail,
  { decoder, maxPastBytes, request: { signal } }: FileLogOptions,
): Promise<readonly LogPart[]> {
  const past: LogPart[] = [];
  let [bytes, read] = [0, 0];
  while (read < maxReadTimes * maxPastBytes) {
    signal.throwIfAborted();
    const chunk = await tail.read();
    if (chunk === undefined) break;
    read += chunk.data.length;
    for (const part of decoder.push(chunk)) {
      past.push(part);
      bytes += part.data.length;
    }
    let [gone, left] = [0, bytes];
    while (left > maxPastBytes && gone < past.length - 1) left -= past[gone++]?.data.length ?? 0;
    past.splice(0, gone);
    bytes = left;
  }
  return past;
}

async function* follow(
  { decoder, hasEnded }: FileLogOptions,
  { tail, changes, signal }: { readonly tail: FileTail; readonly changes: FileChanges; readonly signal: AbortSignal },
): AsyncGenerator<LogPart> {
  let ended = false;
  while (!signal.aborted) {
    const chunk = await tail.read();
    if (chunk !== undefined) {
      yield* decoder.push(chunk);
      continue;
    }
    // The end is looked for before the last read, so that nothing written before it is missed.
    if (ended) return;
    ended = await hasEnded();
    if (!ended) await changes.next(signal);
  }
}

/** Lines that may begin with when they were written, "2026-01-02T03:04:05.678Z words". */
export class TimedLines implements FileDecoder {
  #pending: Buffer = Buffer.alloc(0);

  push({ data: chunk, end, isNew }: FileChunk): readonly LogPart[] {
    const data = isNew ? chunk : Buffer.concat([this.#pending, chunk]);
    const parts: LogPart[] = [];
    let begin = 0;
    for (let at = data.indexOf(0x0a); at !== -1; at = data.indexOf(0x0a, begin)) {
      const line = data.subarray(begin, at + 1);
      begin = at + 1;
      const [, time] = /^(\d{4}-\d\d-\d\dT[\d:.]{8,15}Z) /.exec(line.toString("latin1", 0, 40)) ?? [];
      const timeMs = time === undefined ? Number.NaN : Date.parse(time);
      const place = { log: end.file, at: end.at - (data.length - begin) };
      parts.push({ data: Buffer.from(line), timeMs: Number.isNaN(timeMs) ? undefined : timeMs, end: place });
    }
    if (data.length - begin > maxLineBytes) {
      parts.push({ data: Buffer.from(data.subarray(begin)), timeMs: undefined, end: { log: end.file, at: end.at } });
      begin = data.length;
    }
    this.#pending = Buffer.from(data.subarray(begin));
    return parts;
  }
}
