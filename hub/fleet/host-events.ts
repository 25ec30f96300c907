import { pause } from "../../lib/backoff.js";
import { formatEventId, parseEventId, placeOnHost } from "../../lib/events/event-id.js";
import type { EventLog } from "../../lib/events/event-log.js";
import type { Log } from "../../lib/log.js";
import { type BucketRate, TokenBucket } from "../../lib/token-bucket.js";
import type { Event } from "../../proto/gen/zor/v1/event.js";
import { EventServiceService } from "../../proto/gen/zor/v1/event_service.js";
import { judge } from "./credible.js";
import type { PartSession, SessionPart } from "./session-part.js";

/** How a host's events are read. */
interface Reading {
  /** Events are missing before the newest that was seen: they are fetched, and what comes meanwhile is among them. */
  isBehind: boolean;
  /** The newest that was seen. */
  newest: { readonly log: string; readonly position: number } | undefined;
  wake: (() => void) | undefined;
  /** Bytes that may be taken. */
  readonly budget: TokenBucket;
  /** When it was told that there are too many. */
  toldMs: number;
}

/** What {@link HostEvents} is made with. */
export interface HostEventsOptions {
  readonly events: EventLog;
  readonly log: Log;
  /** Told, now and then, of a host whose events are taken slowly because there are so many. */
  readonly onMany: (host: string) => void;
  readonly budget?: BucketRate;
}

const retryMs = 5000;
/**
 * Bytes of events that are taken of one host. The log is of all hosts and of the hub itself: whoever has the certificate of one agent must
 * not be able to have the record of what was done elsewhere go by. More than that is not lost: it is fetched later.
 */
const defaultBudget: BucketRate = { burst: 16 * 1024 * 1024, perSecond: 8 * 1024 };
const tellAgainMs = 60 * 60 * 1000;
/** Of what is kept beside the texts of an event. */
const overheadBytes = 64;

/**
 * Keeps the events of hosts, each once and in its order. Those that a watch tells follow each other; where one is missing, because the hub
 * was away or there were too many, the agent's own log is read from where it was read last.
 */
export class HostEvents implements SessionPart {
  readonly #events: EventLog;
  readonly #log: Log;
  readonly #options: HostEventsOptions;
  readonly #readings = new Map<string, Reading>();

  constructor(options: HostEventsOptions) {
    this.#options = options;
    this.#events = options.events;
    this.#log = options.log;
  }

  /** Takes an event in as it comes to the inventory: of a host, or of the hub itself. */
  take(event: Event): void {
    const place = placeOnHost(event.name);
    if (place === undefined) {
      this.#events.append([event]);
      return;
    }
    const { host, log, position } = place;
    const cursor = this.#events.cursorOf(host);
    if (cursor?.log === log && position <= cursor.position) return;
    const reading = this.#readingOf(host);
    reading.newest = { log, position };
    const follows = position === (cursor?.log === log ? cursor.position + 1 : 1);
    if (!reading.isBehind && follows && reading.budget.take(bytesOf(event))) {
      this.#events.append([event]);
      return;
    }
    reading.isBehind = true;
    reading.wake?.();
  }

  async run(session: PartSession, signal: AbortSignal): Promise<void> {
    const reading = this.#readingOf(session.host);
    const wake = (): void => reading.wake?.();
    signal.addEventListener("abort", wake, { once: true });
    try {
      while (!signal.aborted) {
        if (reading.isBehind) await this.#catchUp(session, reading, signal);
        else {
          await new Promise<void>((resolve) => {
            reading.wake = resolve;
          });
          reading.wake = undefined;
        }
      }
    } finally {
      signal.removeEventListener("abort", wake);
    }
  }

  lost(): void {
    // What was missed meanwhile shows in the first event of the next session.
  }

  forgotten(host: string): void {
    this.#readings.delete(host);
  }

  #readingOf(host: string): Reading {
    const known = this.#readings.get(host);
    if (known !== undefined) return known;
    const budget = new TokenBucket(this.#options.budget ?? defaultBudget);
    const made: Reading = { isBehind: false, newest: undefined, wake: undefined, budget, toldMs: -tellAgainMs };
    this.#readings.set(host, made);
    return made;
  }

  async #catchUp(session: PartSession, reading: Reading, signal: AbortSignal): Promise<void> {
    const { host, connection } = session;
    const aim = reading.newest;
    if (reading.budget.waitMs > 0) {
      this.#tellMany(host, reading);
      await pause(Math.max(retryMs, reading.budget.waitMs), signal);
      return;
    }
    try {
      const cursor = this.#events.cursorOf(host);
      const request = {
        query: undefined,
        follow: false,
        position: cursor === undefined ? "" : formatEventId(cursor),
      };
      for await (const { events, position } of connection.stream(EventServiceService.readEvents, request, { signal })) {
        const bytes = this.#append(session, events);
        const end = parseEventId(position);
        if (end !== undefined) this.#advance(host, end);
        reading.budget.charge(bytes);
        // The rest later, from here on.
        if (reading.budget.level <= 0) return;
      }
      // What the agent itself has no more is not waited for.
      if (aim !== undefined) this.#advance(host, aim);
      const [now, newest] = [this.#events.cursorOf(host), reading.newest];
      reading.isBehind = newest !== undefined && (now?.log !== newest.log || now.position < newest.position);
    } catch (error) {
      if (signal.aborted) return;
      this.#log.debug({ err: error, host }, "the events of a host cannot be read; trying again");
      await pause(retryMs, signal);
    }
  }

  #tellMany(host: string, reading: Reading): void {
    const nowMs = performance.now();
    if (nowMs - reading.toldMs < tellAgainMs) return;
    reading.toldMs = nowMs;
    this.#options.onMany(host);
  }

  /** Resolves to how much it was. */
  #append({ host, refuse }: PartSession, events: readonly Event[]): number {
    const believed = events.filter((value) => {
      const judged = judge(host, { kind: "event", value });
      if ("lie" in judged) refuse({ name: value.name, why: judged.lie });
      const place = placeOnHost(value.name);
      const cursor = this.#events.cursorOf(host);
      const isKnown = place !== undefined && cursor?.log === place.log && place.position <= cursor.position;
      return !("lie" in judged) && place !== undefined && !isKnown;
    });
    if (believed.length > 0) this.#events.append(believed);
    return events.reduce((sum, event) => sum + bytesOf(event), 0);
  }

  #advance(host: string, { log, position }: { readonly log: string; readonly position: number }): void {
    const cursor = this.#events.cursorOf(host);
    if (cursor?.log === log && cursor.position >= position) return;
    this.#events.moveCursor(host, log, position);
  }
}

function bytesOf({ name, type, resource, message, caller }: Event): number {
  return [name, type, resource, message, caller].reduce((sum, text) => sum + text.length, overheadBytes);
}
