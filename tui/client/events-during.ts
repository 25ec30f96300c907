import type { Connection } from "../../lib/grpc/connection.js";
import type { Event } from "../../proto/gen/zor/v1/event.js";
import { EventQuery, EventServiceService } from "../../proto/gen/zor/v1/event_service.js";

const pageSize = 500;
/** The last millisecond that a Date can hold. */
const latestMs = 8.64e15;

/** The events of a time that a server keeps, the newest first, a page at a time. @throws {ZorError} when they cannot be read. */
export async function* eventsDuring(
  connection: Connection,
  { fromMs, untilMs }: { readonly fromMs: number; readonly untilMs: number },
  signal: AbortSignal,
): AsyncGenerator<readonly Event[]> {
  const until = untilMs < latestMs ? { until: new Date(untilMs) } : {};
  const query = EventQuery.fromPartial({ since: new Date(fromMs), ...until });
  for (let pageToken = ""; ; ) {
    const request = { query, pageSize, pageToken };
    const { events, nextPageToken } = await connection.unary(EventServiceService.listEvents, request, { signal });
    yield events;
    if (nextPageToken === "") return;
    pageToken = nextPageToken;
  }
}
