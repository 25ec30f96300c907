import type { A2b } from "../../../proto/gen/zor/v1/a2b.js";
import type { TuiKind } from "../../kit/kind.js";
import { a2bActions } from "./actions.js";
import { a2bColumns, a2bWideColumns } from "./columns.js";
import { describeA2b } from "./describe.js";
import { a2bStyle } from "./states.js";
import { a2bMap } from "./map.js";
import { a2bForm } from "./form.js";

/** In-line boxes between two lans of a host. */
export const a2bKind: TuiKind<A2b> = {
  kind: "a2b",
  form: a2bForm,
  words: ["box"],
  columns: a2bColumns,
  wideColumns: a2bWideColumns,
  sortBy: "host",
  empty: "no in-line boxes; put one between two lans with: zor create a2b",
  counted: { short: "a2bs", rank: 3 },
  actions: a2bActions,
  stateAt: ["status", "state"],
  styleOf: a2bStyle,
  describe: describeA2b,
  commands: async () => (await import("./flags.js")).a2bCommands,
  map: a2bMap,
};
