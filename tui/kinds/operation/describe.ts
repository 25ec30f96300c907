import type { Operation } from "../../../proto/gen/zor/v1/operation.js";
import { type DescribeLine, field } from "../../kit/describe/line.js";
import type { CellContext } from "../../kit/fleet/fleet-view.js";
import { formatAge } from "../../kit/format.js";
import type { Row } from "../../kit/row.js";
import { ageText } from "../../kit/table/columns.js";
import { progressBar } from "./progress-bar.js";
import { operationStyle } from "./states.js";
import { stalledFor } from "./trouble.js";

/** What is known of an operation. */
export function describeOperation(row: Row<Operation>, context: CellContext): readonly DescribeLine[] {
  const operation = row.resource;
  const style = operationStyle(operation.state);
  const silentMs = stalledFor(operation, context);
  return [
    field("state", { text: `${style.symbol} ${style.word}`, tone: style.tone }),
    field("done", `${progressBar(operation.progressPercent)} ${operation.progressPercent}%`),
    ...(silentMs === undefined
      ? []
      : [field("stalled", { text: `nothing was heard for ${formatAge(silentMs)}`, tone: "warn" })]),
    field("verb", operation.verb),
    field("target", operation.target),
    field("step", operation.step),
    field("error", { text: operation.error?.message ?? "", tone: "bad" }),
    field("caller", operation.caller),
    field("began", `${ageText(operation.createTime, context)} ago`),
    field("changed", `${ageText(operation.updateTime, context)} ago`),
    field("name", operation.name),
    field("request id", operation.requestId),
  ];
}
