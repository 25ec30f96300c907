import { EventSeverity } from "../../../proto/gen/zor/v1/event.js";
import { stateStyles } from "../../kit/states.js";

/** How an event's severity is shown. */
export const severityStyle = stateStyles(
  new Map([
    [EventSeverity.EVENT_SEVERITY_INFO, { symbol: "·", word: "info", tone: "dim" }],
    [EventSeverity.EVENT_SEVERITY_WARNING, { symbol: "!", word: "warning", tone: "warn" }],
    [EventSeverity.EVENT_SEVERITY_ERROR, { symbol: "✗", word: "error", tone: "bad" }],
  ]),
);
