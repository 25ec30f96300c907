import type { Connection } from "../../lib/grpc/connection.js";
import type { Event } from "../../proto/gen/zor/v1/event.js";
import { EventServiceService } from "../../proto/gen/zor/v1/event_service.js";

const pageSize = 500;

/** Reaches back in the events that a server keeps, a page at a time, the newest first. */
export class OlderEvents {
  readonly #connection: Connection;
  #pageToken = "";

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** The next page; after the last one it begins anew. @throws {ZorError} when it cannot be read. */
  async read(signal: AbortSignal): Promise<{ readonly events: readonly Event[]; readonly more: boolean }> {
    const request = { query: undefined, pageSize, pageToken: this.#pageToken };
    // A server that lost its log knows no place in it any more.
    this.#pageToken = "";
    const { events, nextPageToken } = await this.#connection.unary(EventServiceService.listEvents, request, { signal });
    this.#pageToken = nextPageToken;
    return { events, more: nextPageToken !== "" };
  }
}
