import { pause } from "../../lib/backoff.js";
import { formatEventId, parseEventId, placeOnHost } from "../../lib/events/event-id.js";
import type { EventLog } from "../../lib/events/event-log.js";
import type { Log } from "../../lib/log.js";
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
}

const retryMs = 5000;

/**
 * Keeps the events of hosts, each once and in its order. Those that a watch tells follow each other; where one is missing, because the hub
 * was away or there were too many, the agent's own log is read from where it was read last.
 */
export class HostEvents implements SessionPart {
  readonly #events: EventLog;
  readonly #log: Log;
  readonly #readings = new Map<string, Reading>();

  constructor(events: EventLog, log: Log) {
    this.#events = events;
    this.#log = log;
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
    if (!reading.isBehind && follows) {
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
    const made: Reading = { isBehind: false, newest: undefined, wake: undefined };
    this.#readings.set(host, made);
    return made;
  }

  async #catchUp(session: PartSession, reading: Reading, signal: AbortSignal): Promise<void> {
    const { host, connection } = session;
    const aim = reading.newest;
    try {
      const cursor = this.#events.cursorOf(host);
      const request = {
        query: undefined,
        follow: false,
        position: cursor === undefined ? "" : formatEventId(cursor),
      };
      for await (const { events, position } of connection.stream(EventServiceService.readEvents, request, { signal })) {
        this.#append(session, events);
        const end = parseEventId(position);
        if (end !== undefined) this.#advance(host, end);
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

  #append({ host, refuse }: PartSession, events: readonly Event[]): void {
    const believed = events.filter((value) => {
      const judged = judge(host, { kind: "event", value });
      if ("lie" in judged) refuse({ name: value.name, why: judged.lie });
      const place = placeOnHost(value.name);
      const cursor = this.#events.cursorOf(host);
      const isKnown = place !== undefined && cursor?.log === place.log && place.position <= cursor.position;
      return !("lie" in judged) && place !== undefined && !isKnown;
    });
    if (believed.length > 0) this.#events.append(believed);
  }

  #advance(host: string, { log, position }: { readonly log: string; readonly position: number }): void {
    const cursor = this.#events.cursorOf(host);
    if (cursor?.log === log && cursor.position >= position) return;
    this.#events.moveCursor(host, log, position);
  }
}
