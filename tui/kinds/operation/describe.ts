import { ageText, type CellContext } from "../../kit/table/column.js";
import { formatTime } from "../../kit/format.js";
import type { RowOf } from "../../kit/row.js";
import { operationStyle, severityStyle } from "../../kit/states.js";
import { type DescribeLine, field } from "../../kit/describe/line.js";

/** What is known of an operation. */
export function describeOperation(row: RowOf<"operations">, context: CellContext): readonly DescribeLine[] {
  const operation = row.resource;
  const style = operationStyle(operation.state);
  return [
    field("state", { text: `${style.symbol} ${style.word}, ${operation.progressPercent}%`, tone: style.tone }),
    field("verb", operation.verb),
    field("target", operation.target),
    field("step", operation.step),
    field("error", { text: operation.error?.message ?? "", tone: "bad" }),
    field("caller", operation.caller),
    field("began", `${ageText(operation.createTime, context)} ago`),
    field("changed", `${ageText(operation.updateTime, context)} ago`),
    field("request id", operation.requestId),
  ];
}

/** What is known of an event. */
export function describeEvent(row: RowOf<"events">, context: CellContext): readonly DescribeLine[] {
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
