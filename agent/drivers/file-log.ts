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

/** Opens a log that somebody else writes to a file. No more is read of it than is taken; what is cut off meanwhile is missed. */
export async function openFileLog(options: FileLogOptions): Promise<OpenLog> {
  const { path, decoder, request, maxPastBytes } = options;
  const closing = new AbortController();
  const signal = AbortSignal.any([request.signal, closing.signal]);
  const changes = request.follow ? new FileChanges(path) : undefined;
  const tail = new FileTail(path);
  let past: LogPart[] = [];
  let bytes = 0;
  for (let chunk = await tail.read(); chunk !== undefined; chunk = await tail.read()) {
    for (const part of decoder.push(chunk)) {
      past.push(part);
      bytes += part.data.length;
    }
    while (bytes > maxPastBytes && past.length > 1) bytes -= past.shift()?.data.length ?? 0;
  }
  const { resume } = request;
  const resumed = resume !== undefined && past.some(({ end }) => end?.log === resume.log);
  if (resumed) past = past.filter(({ end }) => end?.log !== resume.log || end.at > resume.at);
  const close = async (): Promise<void> => {
    closing.abort();
    changes?.close();
    await tail.close();
  };
  return {
    past,
    resumed,
    live: changes === undefined ? nothingMore : follow(options, { tail, changes, signal }),
    close,
  };
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
    this.#pending = Buffer.from(data.subarray(begin));
    return parts;
  }
}
