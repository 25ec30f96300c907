import type { Instance } from "../../../proto/gen/zor/v1/instance.js";
import type { TuiKind } from "../../kit/kind.js";
import { instanceActions } from "./actions.js";
import { instanceColumns, instanceWideColumns } from "./columns.js";
import { describeInstance } from "./describe.js";
import { insideInstance } from "./inside.js";
import { instanceStyle } from "./states.js";
import { instanceMap } from "./map.js";
import { instanceForm } from "./form.js";

/** Machines and containers. */
export const instanceKind: TuiKind<Instance> = {
  kind: "instance",
  form: instanceForm,
  columns: instanceColumns,
  wideColumns: instanceWideColumns,
  sortBy: "host",
  empty: "no instances here; create one with: zor create instance",
  counted: { short: "inst", rank: 1 },
  actions: instanceActions,
  hasConsole: true,
  hasLogin: true,
  hasScreen: ({ spec }) => spec?.driver?.$case === "qemu" && spec.driver.value.display !== "",
  stateAt: ["status", "state"],
  styleOf: instanceStyle,
  describe: describeInstance,
  insideOf: insideInstance,
  commands: async () => (await import("./flags.js")).instanceCommands,
  map: instanceMap,
};
