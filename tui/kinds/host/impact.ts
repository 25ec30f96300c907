import { agreeing, counted, listed } from "../../../lib/words.js";
import type { Host } from "../../../proto/gen/zor/v1/host.js";
import type { FleetView } from "../../kit/fleet/fleet-view.js";
import type { Row } from "../../kit/row.js";
import { hostStyle } from "./states.js";

/** What deleting a host takes with it: the hub forgets what is on it, and stops nothing. */
export function deletingHost(row: Row<Host>, fleet: FleetView): string {
  const { word } = hostStyle(row.resource.state);
  const contents = fleet.contentsOf(row.id);
  if (contents.length === 0) return `${word}; forgotten`;
  const total = contents.reduce((sum, { count }) => sum + count, 0);
  const texts = contents.map(({ kind, count }) => counted(count, kind));
  return `${word}; forgotten with ${listed(texts)}, which ${agreeing(total, "keeps", "keep")} running`;
}
