import { stringify } from "yaml";
import { A2b } from "../../proto/gen/zor/v1/a2b.js";
import { Host } from "../../proto/gen/zor/v1/host.js";
import { Instance } from "../../proto/gen/zor/v1/instance.js";
import { Lan } from "../../proto/gen/zor/v1/lan.js";
import { Link } from "../../proto/gen/zor/v1/link.js";
import { Operation } from "../../proto/gen/zor/v1/operation.js";
import { Event } from "../../proto/gen/zor/v1/event.js";
import type { CellContext } from "../kit/table/column.js";
import type { WatchedRow } from "../kit/row.js";
import { describeA2b } from "./a2b/describe.js";
import { describeHost } from "./host/describe.js";
import { describeInstance } from "./instance/describe.js";
import { describeLan } from "./lan/describe.js";
import { type DescribeLine, text } from "../kit/describe/line.js";
import { describeLink } from "./link/describe.js";
import { describeEvent, describeOperation } from "./operation/describe.js";

/** What is known of a resource, for people. */
export function describe(row: WatchedRow, context: CellContext): readonly DescribeLine[] {
  switch (row.kind) {
    case "hosts":
      return describeHost(row, context);
    case "instances":
      return describeInstance(row, context);
    case "lans":
      return describeLan(row, context);
    case "links":
      return describeLink(row, context);
    case "operations":
      return describeOperation(row, context);
    case "events":
      return describeEvent(row, context);
    case "a2bs":
      return describeA2b(row, context);
  }
}

/** A resource as YAML of its proto3 JSON. */
export function describeYaml(row: WatchedRow): readonly DescribeLine[] {
  return stringify(toJson(row))
    .trimEnd()
    .split("\n")
    .map((line) => text(line));
}

function toJson(row: WatchedRow): unknown {
  switch (row.kind) {
    case "hosts":
      return Host.toJSON(row.resource);
    case "instances":
      return Instance.toJSON(row.resource);
    case "lans":
      return Lan.toJSON(row.resource);
    case "links":
      return Link.toJSON(row.resource);
    case "operations":
      return Operation.toJSON(row.resource);
    case "events":
      return Event.toJSON(row.resource);
    case "a2bs":
      return A2b.toJSON(row.resource);
  }
}
