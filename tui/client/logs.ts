import { status } from "@grpc/grpc-js";
import { Backoff } from "../../lib/backoff.js";
import { messageOf, ZorError } from "../../lib/errors.js";
import type { Connection } from "../../lib/grpc/connection.js";
import { LogPiece, LogQuery } from "../../proto/gen/zor/v1/log.js";
import {
  HostLogServiceService,
  HubLogServiceService,
  InstanceLogServiceService,
  type LogSource,
} from "../../proto/gen/zor/v1/log_service.js";

/** A log that can be read. */
export type LogPlace =
  | { readonly kind: "instance"; readonly name: string; readonly source: LogSource; readonly port: number }
  /** Of the agent of "hosts/{host}". */
  | { readonly kind: "agent"; readonly name: string }
  | { readonly kind: "hub" };

/** How a log is read. */
export interface ReadOptions {
  readonly signal: AbortSignal;
  /** Told when a log that is followed was lost, and when it is there again. */
  readonly onNotice: (text: string) => void;
}

const retry = { minMs: 200, maxMs: 2000 };
/** What may be there again soon. A reader that was too slow goes on where it was, as far as that is kept. */
const lostCodes: ReadonlySet<status> = new Set([
  status.UNAVAILABLE,
  status.CANCELLED,
  status.INTERNAL,
  status.RESOURCE_EXHAUSTED,
]);

/**
 * Reads a log. One that is followed is read again when it is lost, from where it was.
 * @throws {ZorError} when it cannot be read.
 */
export async function* readLog(
  connection: Connection,
  place: LogPlace,
  query: Partial<LogQuery>,
  { signal, onNotice }: ReadOptions,
): AsyncGenerator<LogPiece> {
  const backoff = new Backoff(retry);
  let asked = LogQuery.fromPartial(query);
  let isOpen = false;
  let isLost = false;
  for (;;) {
    try {
      for await (const { piece = LogPiece.fromPartial({}) } of call(connection, place, asked, signal)) {
        if (isLost)
          onNotice(`is read again; ${piece.missing ? "some of it may be missing" : "nothing of it is missing"}`);
        isOpen = true;
        isLost = false;
        backoff.reset();
        if (piece.data.length > 0) yield piece;
        // Who cannot go on from a place goes on from now.
        asked = { ...asked, resume: piece.end ?? asked.resume ?? { log: "none", at: 0n } };
        if (piece.end === undefined && asked.resume?.log === "none") asked = { ...asked, since: new Date() };
      }
      return;
    } catch (error) {
      const mayReturn = error instanceof ZorError && lostCodes.has(error.code);
      if (signal.aborted || asked.follow !== true || !isOpen || !mayReturn) throw error;
      if (!isLost) onNotice(`was lost (${messageOf(error)}); trying to read on`);
      isLost = true;
      await backoff.wait(signal);
      signal.throwIfAborted();
    }
  }
}

function call(
  connection: Connection,
  place: LogPlace,
  query: LogQuery,
  signal: AbortSignal,
): AsyncIterable<{ readonly piece?: LogPiece | undefined }> {
  switch (place.kind) {
    case "instance": {
      const { name, source, port } = place;
      return connection.stream(InstanceLogServiceService.readInstanceLog, { name, query, source, port }, { signal });
    }
    case "agent":
      return connection.stream(HostLogServiceService.readHostLog, { name: place.name, query }, { signal });
    case "hub":
      return connection.stream(HubLogServiceService.readHubLog, { query }, { signal });
  }
}
