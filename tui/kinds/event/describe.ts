import type { Event } from "../../../proto/gen/zor/v1/event.js";
import { type DescribeLine, field } from "../../kit/describe/line.js";
import type { CellContext } from "../../kit/fleet/fleet-view.js";
import { formatTime } from "../../kit/format.js";
import type { Row } from "../../kit/row.js";
import { ageText } from "../../kit/table/columns.js";
import { severityStyle } from "./states.js";

/** What is known of an event. */
export function describeEvent(row: Row<Event>, context: CellContext): readonly DescribeLine[] {
  const event = row.resource;
  const style = severityStyle(event.severity);
  return [
    field("severity", { text: `${style.symbol} ${style.word}`, tone: style.tone }),
    field("type", event.type),
    field("resource", event.resource),
    field("message", event.message),
    field("caller", event.caller),
    field(
      "time",
      event.time === undefined ? "" : `${formatTime(event.time, context.nowMs)}, ${ageText(event.time, context)} ago`,
    ),
  ];
}
