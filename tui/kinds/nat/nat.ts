import type { Nat } from "../../../proto/gen/zor/v1/nat.js";
import type { TuiKind } from "../../kit/kind.js";
import { natActions } from "./actions.js";
import { natColumns, natWideColumns } from "./columns.js";
import { describeNat } from "./describe.js";
import { natStyle } from "./states.js";
import { natMap } from "./map.js";

/** Ways out of lans. */
export const natKind: TuiKind<Nat> = {
  kind: "nat",
  columns: natColumns,
  wideColumns: natWideColumns,
  sortBy: "host",
  empty: "no ways out of lans; make one with: zor create nat",
  counted: { short: "nats", rank: 3 },
  actions: natActions,
  stateAt: ["status", "state"],
  styleOf: natStyle,
  describe: describeNat,
  commands: async () => (await import("./flags.js")).natCommands,
  map: natMap,
};
