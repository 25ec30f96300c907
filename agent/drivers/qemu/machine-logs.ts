import { isAlive } from "../../../lib/process.js";
import { type LogPart, nothingMore, type OpenLog } from "../../../lib/logs/open-log.js";
import type { Piece } from "../../pump/protocol/history.js";
import { readHistory } from "../../pump/protocol/history-file.js";
import type { HasLogs, LogRequest } from "../abilities/logs.js";
import type { DriverInstance } from "../driver.js";
import { openFileLog, TimedLines } from "../file-log.js";
import { serialPortsOf } from "./ids.js";
import type { Machine } from "./machine.js";
import { qemuOptionsOf } from "./options.js";
import { logPathOf } from "./run-directory.js";
import { consoleLogPath, noSuchPort } from "./serial-ports.js";

const maxPastBytes = 1024 * 1024;

/** What machines said on their serial ports, and what QEMU says. @param findMachine the machine, if it is observed. */
export function machineLogs(findMachine: (instance: DriverInstance) => Machine | undefined): HasLogs {
  return {
    sources: ["console", "runtime"],
    openLog: async (instance, handle, request) => {
      if (request.source === "console") return openPort(instance, findMachine(instance), request);
      return openFileLog({
        path: logPathOf(instance),
        decoder: new TimedLines(),
        request,
        maxPastBytes,
        hasEnded: async () => handle === undefined || !(await isAlive(handle)),
      });
    },
  };
}

async function openPort(
  instance: DriverInstance,
  machine: Machine | undefined,
  { port, follow, resume }: LogRequest,
): Promise<OpenLog> {
  const count = serialPortsOf(qemuOptionsOf(instance.spec));
  if (port >= count) throw noSuchPort(instance.name, count, { field: "port", port });
  if (machine === undefined) {
    const history = await readHistory(consoleLogPath(instance.directory, port), { keptBytes: maxPastBytes });
    return toOpenLog(history, { resume, live: nothingMore, close: async () => undefined });
  }
  const { past, log, begin, live, close } = machine.followConsole(port);
  const parts = follow ? toParts(live, log) : nothingMore;
  return toOpenLog({ log, begin, from: () => past }, { resume, live: parts, close: async () => close() });
}

function toOpenLog(
  { log, begin, from }: { readonly log: string; readonly begin: number; from(at: number): readonly Piece[] },
  { resume, ...rest }: Pick<LogRequest, "resume"> & Omit<OpenLog, "past">,
): OpenLog {
  const parts = from(0).map((piece) => toPart(piece, log));
  const resumed = resume !== undefined && resume.log === log && resume.at >= begin;
  if (!resumed) return { past: parts, ...rest };
  return { past: parts.flatMap((part) => after(part, resume.at)), resumed, ...rest };
}

type PlacedPart = LogPart & { readonly end: { readonly log: string; readonly at: number } };

function toPart({ at, timeMs, data }: Piece, log: string): PlacedPart {
  return { data, timeMs, end: { log, at: at + data.length } };
}

/** What of a part comes after a position. */
function after(part: PlacedPart, at: number): readonly PlacedPart[] {
  const skip = at - (part.end.at - part.data.length);
  if (skip >= part.data.length) return [];
  return [skip <= 0 ? part : { ...part, data: part.data.subarray(skip) }];
}

async function* toParts(pieces: AsyncIterable<Piece>, log: string): AsyncGenerator<LogPart> {
  for await (const piece of pieces) yield toPart(piece, log);
}
