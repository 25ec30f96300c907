import type { Lan, LanPort } from "../../../proto/gen/zor/v1/lan.js";
import type { TuiKind } from "../../kit/kind.js";
import { idOf } from "../../kit/resource-name.js";
import type { Row } from "../../kit/row.js";
import { portColumns } from "./port-columns.js";

/** What is plugged into a lan. */
export const portKind: TuiKind<LanPort> = {
  kind: "port",
  plural: "ports",
  columns: portColumns,
  sortBy: "name",
  empty: "nothing is plugged in; plug something in with: zor attach",
  actions: [],
  describe: () => [],
  // Of a NIC its instance is described, of a side of a box the box.
  behind: ({ name }) =>
    name
      .split("/")
      .slice(0, name.startsWith("hosts/") ? 4 : 2)
      .join("/"),
};

/** The ports of a lan as rows. */
export function portRows({ resource, host, receivedAtMs }: Row<Lan>): readonly Row<LanPort>[] {
  return (resource.status?.ports ?? []).map((port) => ({
    kind: "port",
    name: port.endpoint,
    id: idOf(port.endpoint),
    host,
    resource: port,
    receivedAtMs,
  }));
}
