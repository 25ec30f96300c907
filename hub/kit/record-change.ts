import type { WatchLog } from "../../lib/watch/watch-log.js";
import { EventSeverity } from "../../proto/gen/zor/v1/event.js";

/** What a caller has done to a resource of the hub. */
export interface ResourceChange {
  /** Singular of its kind. */
  readonly kind: string;
  readonly name: string;
  readonly what: "created" | "updated" | "deleted";
  /** Which fields of it. */
  readonly fields?: string;
  /** Identity of the caller. */
  readonly caller: string;
}

/** Records as an event that a caller has made, changed or deleted a resource of the hub. */
export function recordChange(log: WatchLog, { kind, name, what, fields = "", caller }: ResourceChange): void {
  const severity = EventSeverity.EVENT_SEVERITY_INFO;
  log.recordEvent("events", {
    severity,
    type: `${kind}.${what}`,
    resource: name,
    message: fields === "" ? `${name} was ${what}` : `${name} was ${what}: ${fields}`,
    caller,
  });
}
