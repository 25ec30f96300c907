import type { Lan } from "../../../proto/gen/zor/v1/lan.js";
import type { TuiKind } from "../../kit/kind.js";
import { shortName } from "../../kit/resource-name.js";
import { portKind, portRows } from "./port.js";
import { lanActions } from "./actions.js";
import { lanColumns, lanWideColumns } from "./columns.js";
import { describeLan } from "./describe.js";
import { lanMap } from "./map.js";

/** Switches that endpoints plug into. */
export const lanKind: TuiKind<Lan> = {
  kind: "lan",
  columns: lanColumns,
  wideColumns: lanWideColumns,
  sortBy: "host",
  empty: "no lans here; create one with: zor create lan",
  counted: { short: "lans", rank: 2 },
  actions: lanActions,
  parts: [{ kind: portKind, rowsOf: portRows }],
  describe: describeLan,
  commands: async () => (await import("./flags.js")).lanCommands,
  map: lanMap,
  open: ({ name }) => ({
    kind: portKind.kind,
    scope: { title: shortName(name), partOf: { kind: "lan", name } },
  }),
};
