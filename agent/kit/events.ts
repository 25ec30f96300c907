import type { EventSeverity } from "../../proto/gen/zor/v1/event.js";

/** Something to tell those who watch. */
export interface EventDraft {
  readonly severity: EventSeverity;
  /** Stable form, "instance.started". */
  readonly type: string;
  readonly resource: string;
  readonly message: string;
  /** Identity of who caused it; "": nobody did. */
  readonly caller: string;
}
