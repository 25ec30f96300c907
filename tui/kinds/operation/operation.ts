import type { Operation } from "../../../proto/gen/zor/v1/operation.js";
import type { TuiKind } from "../../kit/kind.js";
import { hostOf } from "../../kit/resource-name.js";
import { operationActions } from "./actions.js";
import { operationColumns } from "./columns.js";
import { describeOperation } from "./describe.js";
import { operationStyle } from "./states.js";
import { operationTrouble } from "./trouble.js";

/** Work that takes its time. */
export const operationKind: TuiKind<Operation> = {
  kind: "operation",
  columns: operationColumns,
  sortBy: "age",
  empty: "no operations",
  actions: operationActions,
  stateAt: ["state"],
  styleOf: operationStyle,
  describe: describeOperation,
  troubleOf: operationTrouble,
  troubleAges: true,
  ofWhom: ({ caller }) => caller,
  hostsOf: (row) => [row.host, hostOf(row.resource.target) ?? ""],
};
