import { type Host, HostState } from "../../../proto/gen/zor/v1/host.js";
import type { TuiKind } from "../../kit/kind.js";
import { hostActions } from "./actions.js";
import { hostColumns, hostWideColumns } from "./columns.js";
import { describeHost } from "./describe.js";
import { hostStyle } from "./states.js";
import { hostTrouble } from "./trouble.js";

/** Machines that run an agent. */
export const hostKind: TuiKind<Host> = {
  kind: "host",
  columns: hostColumns,
  wideColumns: hostWideColumns,
  sortBy: "name",
  empty: "no hosts yet; register one with: zor host add NAME",
  counted: { short: "hosts", rank: 1 },
  presence: {
    isReachable: ({ state }) => state === HostState.HOST_STATE_READY || state === HostState.HOST_STATE_UNSPECIFIED,
    lastSeenTime: ({ lastSeenTime }) => lastSeenTime,
  },
  actions: hostActions,
  stateAt: ["state"],
  styleOf: hostStyle,
  describe: describeHost,
  commands: async () => (await import("./flags.js")).hostCommands,
  open: (row) => ({ kind: "instance", scope: { title: row.id, host: row.id } }),
  troubleOf: hostTrouble,
};
