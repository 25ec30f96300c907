import { LineSplitter } from "../../../lib/line-splitter.js";
import { type LogPart, type LogPosition, nothingMore, type OpenLog } from "../../../lib/logs/open-log.js";
import type { LogRequest } from "../abilities/logs.js";
import type { EngineClient } from "./engine-client.js";

/** More of the past is not asked for: engines keep all there ever was, and give lines. */
const maxLines = 5000;
const maxPastBytes = 1024 * 1024;
/** Engines cut lines at 16 KiB. */
const maxLineBytes = 1024 * 1024;

/** Opens the log of a container's terminal, as the engine keeps it. Nothing more is read than is taken. */
export async function openEngineLog(
  client: EngineClient,
  container: string,
  { follow, resume, signal }: Pick<LogRequest, "follow" | "resume" | "signal">,
): Promise<OpenLog> {
  const log = container.slice(0, 12);
  const closing = new AbortController();
  const either = AbortSignal.any([signal, closing.signal]);
  const source = { client, container, log };
  let past: LogLine[] = [];
  let bytes = 0;
  for await (const line of readLines({ ...source, follow: false, signal: either })) {
    past.push(line);
    bytes += line.data.length;
    while (bytes > maxPastBytes && past.length > 1) bytes -= past.shift()?.data.length ?? 0;
  }
  const last = past.at(-1)?.end.at ?? 0;
  const [first] = past;
  const resumed = resume !== undefined && resume.log === log && (first === undefined || first.end.at <= resume.at);
  if (resumed) past = past.filter(({ end }) => end.at > resume.at);
  const live = follow ? after(readLines({ ...source, follow, signal: either }), last) : nothingMore;
  return { past, resumed, live, close: async () => closing.abort() };
}

type LogLine = LogPart & { readonly end: LogPosition };

async function* after(lines: AsyncIterable<LogLine>, at: number): AsyncGenerator<LogPart> {
  for await (const line of lines) {
    if (line.end.at > at) yield line;
  }
}

/** What is read, and how. */
interface LineSource {
  readonly client: EngineClient;
  readonly container: string;
  readonly log: string;
  readonly follow: boolean;
  readonly signal: AbortSignal;
}

async function* readLines({ client, container, log, follow, signal }: LineSource): AsyncGenerator<LogLine> {
  const path = `/containers/${container}/logs`;
  const how = { tail: String(maxLines), ...(follow ? { follow: "1" } : {}) };
  const query = { stdout: "1", stderr: "1", timestamps: "1", ...how };
  const splitter = new LineSplitter(maxLineBytes);
  try {
    for await (const chunk of await client.stream({ method: "GET", path, query, signal })) {
      for (const line of splitter.push(Buffer.from(chunk))) yield toLine(line, log);
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

/** A line begins with when it was written, to the nanosecond; its place is that to the microsecond. */
function toLine(line: Buffer, log: string): LogLine {
  const head = line.toString("latin1", 0, 64);
  const [whole = "", seconds = "", fraction = "", zone = ""] =
    /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d) /.exec(head) ?? [];
  const begin = Date.parse(`${seconds}${zone}`);
  const microseconds = Number(fraction.padEnd(6, "0").slice(0, 6));
  const at = Number.isNaN(begin) ? 0 : begin * 1000 + microseconds;
  const data = Buffer.concat([line.subarray(whole.length), Buffer.of(0x0a)]);
  return { data, timeMs: at === 0 ? undefined : at / 1000, end: { log, at } };
}
