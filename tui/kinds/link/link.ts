import type { Link } from "../../../proto/gen/zor/v1/link.js";
import type { TuiKind } from "../../kit/kind.js";
import { linkActions } from "./actions.js";
import { linkColumns, linkWideColumns } from "./columns.js";
import { describeLink } from "./describe.js";
import { hostsOfLink } from "./facts.js";
import { linkForm } from "./form.js";
import { LinkHistory } from "./history.js";
import { losesEnd } from "./impact.js";
import { linkMap } from "./map.js";
import { linkStyle } from "./states.js";

/** Cables between lans. */
export const linkKind: TuiKind<Link> = {
  kind: "link",
  form: linkForm,
  words: ["c2c"],
  columns: linkColumns,
  wideColumns: linkWideColumns,
  sortBy: "name",
  empty: "no links; join two lans with: zor create link",
  counted: { short: "links", rank: 1 },
  actions: linkActions,
  stateAt: ["status", "state"],
  styleOf: linkStyle,
  describe: describeLink,
  commands: async () => (await import("./flags.js")).linkCommands,
  map: linkMap,
  hostsOf: (row) => hostsOfLink(row.resource),
  suffersFrom: losesEnd,
  livesOn: ({ resource }) => hostsOfLink(resource).map((id) => `hosts/${id}`),
  follow: () => new LinkHistory(),
};
