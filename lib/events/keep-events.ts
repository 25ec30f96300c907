import type { Event } from "../../proto/gen/zor/v1/event.js";
import type { WatchLog } from "../watch/watch-log.js";
import { isOfKind } from "../kinds/resource.js";
import type { EventLog } from "./event-log.js";

/**
 * Has watches begin with the newest events that are kept, and keeps every event that is recorded from now on, in the moment in which
 * it is. Returns the way to stop. @param take what is done with one; default: it is appended.
 */
export async function keepEvents(
  watchLog: WatchLog,
  events: EventLog,
  restored: number,
  take: (event: Event) => void = (event) => events.append([event]),
): Promise<() => void> {
  for (const value of await events.newest(restored)) watchLog.upsert({ kind: "event", value });
  let isKeeping = false;
  watchLog.follow(["event"], {
    changed: (resource, before) => {
      if (isKeeping && before === undefined && isOfKind(resource, "event")) take(resource.value);
    },
    removed: () => undefined,
  });
  isKeeping = true;
  return () => {
    isKeeping = false;
  };
}
