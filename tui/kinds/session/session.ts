import type { Session } from "../../../proto/gen/zor/v1/session.js";
import { SessionServiceService } from "../../../proto/gen/zor/v1/session_service.js";
import type { Action } from "../../kit/action.js";
import { type DescribeLine, field } from "../../kit/describe/line.js";
import type { CellContext } from "../../kit/fleet/fleet-view.js";
import type { TuiKind } from "../../kit/kind.js";
import { hostOf, shortName } from "../../kit/resource-name.js";
import type { Row } from "../../kit/row.js";
import { ageText } from "../../kit/table/columns.js";
import { sessionColumns } from "./columns.js";
import { ownerText, placeText } from "./words.js";

const end: Action<Session> = {
  verb: "end",
  keys: ["x", "ctrl-d"],
  title: "end a session: whose it is is told by whom",
  hint: "end",
  dangerous: true,
  effect: lossText,
  run: async (_, { connection, request, options }) => {
    await connection.unary(SessionServiceService.endSession, request, options);
    return undefined;
  },
};

/** Who is at consoles, terminals inside instances and shells of hosts. */
export const sessionKind: TuiKind<Session> = {
  kind: "session",
  columns: sessionColumns,
  sortBy: "age",
  empty: "nobody is at a console or in a shell; c on an instance opens its console, on a host a shell",
  actions: [end],
  describe: describeSession,
  hostsOf: (row) => [row.host, hostOf(row.resource.target) ?? ""],
  needs: ({ resource: { target } }) => (target.includes("/instances/") ? [target] : []),
  loss: lossText,
  ofWhom: ({ caller }) => caller,
};

function lossText({ resource }: Row<Session>): string {
  return `${ownerText(resource)} loses the ${placeText(resource)} of ${shortName(resource.target)}`;
}

function describeSession({ resource }: Row<Session>, context: CellContext): readonly DescribeLine[] {
  return [
    field("who", ownerText(resource)),
    field("at", shortName(resource.target)),
    field("what", placeText(resource)),
    field("how", resource.writable ? "types" : "only looks"),
    field("since", `${ageText(resource.createTime, context)} ago`),
    field("from", resource.origin),
    field("caller", resource.caller),
    field("name", resource.name),
  ];
}
