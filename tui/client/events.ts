import { status } from "@grpc/grpc-js";
import { Backoff } from "../../lib/backoff.js";
import { messageOf, ZorError } from "../../lib/errors.js";
import type { CallOptions, Connection } from "../../lib/grpc/connection.js";
import type { Event } from "../../proto/gen/zor/v1/event.js";
import { type EventQuery, EventServiceService } from "../../proto/gen/zor/v1/event_service.js";

/** The newest events that are wanted. */
export interface NewestEvents {
  /** Oldest first. */
  readonly events: readonly Event[];
  /** There may be more before them. */
  readonly more: boolean;
  /** What comes after it is read by {@link followEvents}. */
  readonly position: string;
}

const retry = { minMs: 200, maxMs: 2000 };
const pageSize = 1000;
/** What may be there again soon. */
const lostCodes: ReadonlySet<status> = new Set([
  status.UNAVAILABLE,
  status.CANCELLED,
  status.INTERNAL,
  status.RESOURCE_EXHAUSTED,
]);

/** Lists the newest events, at most so many. @param options those of each call. */
export async function newestEvents(
  connection: Connection,
  query: EventQuery,
  most: number,
  options: () => CallOptions,
): Promise<NewestEvents> {
  const events: Event[] = [];
  let [pageToken, position] = ["", ""];
  do {
    const request = { query, pageSize: Math.max(1, Math.min(pageSize, most - events.length)), pageToken };
    const response = await connection.unary(EventServiceService.listEvents, request, options());
    if (position === "") ({ position } = response);
    events.push(...response.events);
    pageToken = response.nextPageToken;
  } while (pageToken !== "" && events.length < most);
  const found = events.slice(0, most);
  return { events: found.reverse(), more: pageToken !== "", position };
}

/** What is followed. */
export interface FollowOptions {
  /** Where to begin; "": with the oldest that is kept. */
  readonly position: string;
  readonly signal: AbortSignal;
  /** Told when the server was lost, when it is there again, and that something is missing. */
  readonly onNotice: (text: string) => void;
}

/** Reads events as they come, through restarts of the server: each once. @throws {ZorError} when they cannot be read. */
export async function* followEvents(
  connection: Connection,
  query: EventQuery,
  { position: begin, signal, onNotice }: FollowOptions,
): AsyncGenerator<Event> {
  const backoff = new Backoff(retry);
  let position = begin;
  let isLost = false;
  for (;;) {
    try {
      const request = { query, follow: true, position };
      for await (const answer of connection.stream(EventServiceService.readEvents, request, { signal })) {
        if (isLost) onNotice("the server is there again");
        if (answer.missing) onNotice("some events before these are not kept any more");
        isLost = false;
        backoff.reset();
        yield* answer.events;
        ({ position } = answer);
      }
      if (signal.aborted) return;
    } catch (error) {
      if (signal.aborted || !(error instanceof ZorError && lostCodes.has(error.code))) throw error;
      if (!isLost) onNotice(`the server was lost (${messageOf(error)}); trying to read on`);
      isLost = true;
    }
    await backoff.wait(signal);
    signal.throwIfAborted();
  }
}
