import type { Event } from "../../proto/gen/zor/v1/event.js";
import type {
  EventServiceService,
  ListEventsResponse,
  ReadEventsResponse,
} from "../../proto/gen/zor/v1/event_service.js";
import { invalidArgument } from "../errors.js";
import type { Handlers } from "../grpc/service.js";
import { formatEventId, parseEventId } from "./event-id.js";
import type { EventLog } from "./event-log.js";
import { type CheckedEvents, checkEventQuery } from "./event-query.js";

const defaultPage = 500;
const mostPerPage = 5000;
/** Events that one call looks at: about 8 MiB of them. */
const mostLookedAt = 40_000;
/** Bytes of texts in a page, about: a message must not be larger than 8 MiB. */
const mostPageBytes = 3 * 1024 * 1024;
const mostPerMessage = 200;
/** How long a reader that wants none of what comes is told nothing. */
const signOfLifeMs = 5000;

/** Serves the events of a log. */
export function eventMethods(log: EventLog): Handlers<typeof EventServiceService> {
  return {
    listEvents: async ({ query, pageSize, pageToken }) => {
      const checked = checkEventQuery(query);
      if (pageSize < 0 || pageSize > mostPerPage)
        throw invalidArgument("page_size", `${pageSize} is not between 0 and ${mostPerPage}`);
      const before = pageToken === "" ? undefined : positionOf("page_token", pageToken, log);
      return await list(log, checked, { before, size: pageSize === 0 ? defaultPage : pageSize });
    },
    readEvents: (request, { signal }) => {
      const checked = checkEventQuery(request.query);
      const place = request.position === "" ? undefined : parseEventId(request.position);
      if (request.position !== "" && place === undefined)
        throw invalidArgument("position", "is none that was told before");
      const known = place?.log === log.id && place.position <= log.last ? place.position : undefined;
      const missing = place !== undefined && (known === undefined || known + 1 < log.oldest);
      return read(log, checked, { after: known ?? 0, missing, follow: request.follow, signal });
    },
  };
}

async function list(
  log: EventLog,
  { sinceMs, untilMs, matches }: CheckedEvents,
  { before, size }: { readonly before: number | undefined; readonly size: number },
): Promise<ListEventsResponse> {
  const events: Event[] = [];
  const position = formatEventId({ log: log.id, position: log.last });
  let [seen, bytes] = [0, 0];
  for await (const block of log.read({ before, newestFirst: true, sinceMs, untilMs })) {
    for (const stored of block) {
      seen += 1;
      if (matches(stored.event)) {
        events.push(stored.event);
        bytes += stored.event.message.length + 200;
      }
      if (events.length < size && seen < mostLookedAt && bytes < mostPageBytes) continue;
      const nextPageToken = formatEventId({ log: log.id, position: stored.position });
      return { events, nextPageToken, position };
    }
  }
  return { events, nextPageToken: "", position };
}

async function* read(
  log: EventLog,
  { sinceMs, untilMs, matches }: CheckedEvents,
  options: {
    readonly after: number;
    readonly missing: boolean;
    readonly follow: boolean;
    readonly signal: AbortSignal;
  },
): AsyncGenerator<ReadEventsResponse> {
  const { follow, signal } = options;
  let { after, missing } = options;
  const news = new News(log, signal);
  const told = (events: Event[]): ReadEventsResponse => {
    const response = { events, position: formatEventId({ log: log.id, position: after }), missing };
    missing = false;
    return response;
  };
  try {
    if (missing) yield told([]);
    for (;;) {
      const until = log.last;
      let events: Event[] = [];
      for await (const block of log.read({ after, sinceMs, untilMs })) {
        for (const { position, event } of block) {
          after = position;
          if (!matches(event)) continue;
          events.push(event);
          if (events.length < mostPerMessage) continue;
          yield told(events);
          events = [];
        }
        if (signal.aborted) return;
      }
      // Blocks in which nothing is wanted were not even looked at.
      after = Math.max(after, until);
      yield told(events);
      if (!follow) return;
      while (log.last <= after && !signal.aborted) await news.wait(signOfLifeMs);
      if (signal.aborted) return;
    }
  } finally {
    news.close();
  }
}

/** Waits for events. */
class News {
  readonly #stop: () => void;
  #wake: (() => void) | undefined;

  constructor(log: EventLog, signal: AbortSignal) {
    const wake = (): void => this.#wake?.();
    const stop = log.onAppend(wake);
    signal.addEventListener("abort", wake, { once: true });
    this.#stop = () => {
      stop();
      signal.removeEventListener("abort", wake);
    };
  }

  async wait(mostMs: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, mostMs);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#wake = undefined;
  }

  close(): void {
    this.#stop();
  }
}

function positionOf(field: string, text: string, log: EventLog): number {
  const place = parseEventId(text);
  if (place?.log !== log.id) throw invalidArgument(field, "is not one that this list gave; begin with an empty one");
  return place.position;
}
