import type { LogPiece, LogQuery } from "../../proto/gen/zor/v1/log.js";
import { invalidArgument } from "../errors.js";
import type { LogPart, LogPosition, OpenLog } from "./open-log.js";

const newline = 0x0a;
const maxTailLines = 100_000;
const pieceBytes = 64 * 1024;
const logForm = /^[A-Za-z0-9.-]{1,64}$/;

/** What is asked of a log, checked. */
export interface CheckedQuery {
  readonly follow: boolean;
  readonly sinceMs: number | undefined;
  readonly tailLines: number | undefined;
  readonly resume: LogPosition | undefined;
}

/** @throws {ZorError} INVALID_ARGUMENT that names the field. */
export function checkQuery(query: LogQuery | undefined): CheckedQuery {
  const tailLines = query?.tailLines;
  if (tailLines !== undefined && (tailLines < 0 || tailLines > maxTailLines)) {
    throw invalidArgument("query.tail_lines", `${tailLines} is not between 0 and ${maxTailLines}`);
  }
  const sinceMs = query?.since?.getTime();
  if (Number.isNaN(sinceMs)) throw invalidArgument("query.since", "is no time");
  const resume = checkPosition("query.resume", query?.resume);
  return { follow: query?.follow === true, sinceMs, tailLines, resume };
}

/** A position that was told before. @throws {ZorError} INVALID_ARGUMENT that names the field. */
export function checkPosition(
  field: string,
  position: { readonly log: string; readonly at: bigint } | undefined,
): LogPosition | undefined {
  if (position === undefined) return undefined;
  if (!logForm.test(position.log)) throw invalidArgument(`${field}.log`, "is no log that was told of");
  const at = Number(position.at);
  if (at < 0 || !Number.isSafeInteger(at)) throw invalidArgument(`${field}.at`, "is not between 0 and 2^53 - 1");
  return { log: position.log, at };
}

/** Gives a log as it was asked for, and closes it. Nothing more is read of it than the caller takes. */
export async function* streamLog(log: OpenLog, query: CheckedQuery, signal: AbortSignal): AsyncGenerator<LogPiece> {
  const close = (): void => void log.close().catch(() => undefined);
  signal.addEventListener("abort", close, { once: true });
  try {
    const goesOn = query.resume !== undefined && log.resumed === true;
    let missing = query.resume !== undefined && !goesOn;
    for (const part of goesOn ? log.past : wanted(log.past, query)) {
      for (const piece of toPieces(part)) {
        yield { ...piece, missing };
        missing = false;
      }
    }
    // What is followed is known to be open, even while nothing comes.
    if (query.follow && log.past.length === 0)
      yield { data: Buffer.alloc(0), time: undefined, end: undefined, missing };
    for await (const part of log.live) yield* toPieces(part);
  } finally {
    signal.removeEventListener("abort", close);
    await log.close();
  }
}

/** What of the past is asked for; pure. */
export function wanted(
  past: readonly LogPart[],
  { sinceMs, tailLines }: Pick<CheckedQuery, "sinceMs" | "tailLines">,
): readonly LogPart[] {
  const since = sinceMs === undefined ? past : past.filter(({ timeMs }) => timeMs !== undefined && timeMs >= sinceMs);
  return tailLines === undefined ? since : lastLines(since, tailLines);
}

/** The last lines; an end without newline is a line too. */
function lastLines(parts: readonly LogPart[], lines: number): readonly LogPart[] {
  const found: LogPart[] = [];
  let left = lines;
  let isEnd = true;
  for (const part of parts.toReversed()) {
    const { data } = part;
    for (let at = data.length - 1; at >= 0; at -= 1) {
      // The newline at the very end belongs to the last line.
      if (data[at] === newline && !isEnd) left -= 1;
      isEnd = false;
      if (left > 0) continue;
      if (at + 1 < data.length) found.push({ ...part, data: data.subarray(at + 1) });
      return found.reverse();
    }
    found.push(part);
  }
  return found.reverse();
}

function* toPieces({ data, timeMs, end }: LogPart): Generator<LogPiece> {
  const time = timeMs === undefined ? undefined : new Date(timeMs);
  for (let at = 0; at < data.length; at += pieceBytes) {
    const part = Buffer.from(data.subarray(at, at + pieceBytes));
    const isLast = at + part.length === data.length;
    yield { data: part, time, end: isLast ? toMessage(end) : undefined, missing: false };
  }
}

/** A position as the API tells it. */
export function toMessage(position: LogPosition | undefined): { log: string; at: bigint } | undefined {
  return position === undefined ? undefined : { log: position.log, at: BigInt(position.at) };
}
