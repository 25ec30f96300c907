import type { LanPort } from "../../../proto/gen/zor/v1/lan.js";
import type { CellContext } from "../../kit/fleet/fleet-view.js";
import { portText } from "../../kit/port-text.js";
import { shortName } from "../../kit/resource-name.js";
import type { Row } from "../../kit/row.js";
import type { Column } from "../../kit/table/column.js";
import { portRstpText } from "./rstp-text.js";
import { countColumn } from "../../kit/table/columns.js";

type PortRow = Row<LanPort>;

/** The table of a lan's ports. */
export const portColumns: readonly Column<PortRow>[] = [
  {
    id: "name",
    title: "ENDPOINT",
    importance: 10,
    min: 20,
    max: 60,
    cut: "middle",
    sortLetter: "N",
    cell: (row) => ({ text: shortName(row.resource.endpoint), tone: "strong" }),
    searched: (row) => row.resource.endpoint,
  },
  {
    id: "kind",
    title: "KIND",
    importance: 9,
    min: 8,
    max: 8,
    cell: (row, context) => ({ text: endpointKind(row, context) }),
    searched: endpointKind,
  },
  {
    id: "port",
    title: "PORT",
    importance: 6,
    min: 10,
    max: 18,
    grow: true,
    cell: (row) => ({ text: row.resource.port, tone: "dim" }),
    searched: (row) => row.resource.port,
  },
  {
    id: "settings",
    title: "SETTINGS",
    importance: 5,
    min: 8,
    max: 40,
    cell: (row) => ({ text: portText(row.resource.settings), tone: "dim" }),
    searched: (row) => portText(row.resource.settings),
  },
  {
    id: "rstp",
    title: "RSTP",
    importance: 4,
    min: 4,
    max: 22,
    cell: (row) => ({ text: portRstpText(row.resource.rstp) }),
    searched: (row) => portRstpText(row.resource.rstp),
  },
  {
    id: "heard",
    title: "HEARD",
    importance: 5,
    min: 9,
    max: 40,
    cell: (row) => ({ text: row.resource.heardAddresses.join(" ") }),
    searched: (row) => row.resource.heardAddresses.join(" "),
  },
  countColumn<PortRow>(
    { id: "in", title: "FRAMES IN", importance: 8, sortLetter: "I" },
    (row) => row.resource.rxFrames,
  ),
  countColumn<PortRow>({ id: "inbytes", title: "BYTES IN", importance: 7, base: 1024 }, (row) => row.resource.rxBytes),
  countColumn<PortRow>(
    { id: "out", title: "FRAMES OUT", importance: 8, sortLetter: "O" },
    (row) => row.resource.txFrames,
  ),
  countColumn<PortRow>(
    { id: "outbytes", title: "BYTES OUT", importance: 7, base: 1024 },
    (row) => row.resource.txBytes,
  ),
  countColumn<PortRow>(
    { id: "drops", title: "DROPS", importance: 8, sortLetter: "X", warns: true },
    (row) => row.resource.droppedFrames,
  ),
];

/** What is plugged in: an interface of an instance, else a resource that is an endpoint as a whole. */
function endpointKind({ resource: { endpoint } }: PortRow, { fleet }: CellContext): string {
  if (endpoint.includes("/nics/")) return "nic";
  return fleet.kindOfName(endpoint) ?? "?";
}
