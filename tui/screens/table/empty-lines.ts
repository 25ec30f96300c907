import { findStandardMethod } from "../../../lib/kinds/verbs.js";
import type { Model } from "../../kit/model.js";
import type { TableState } from "../../kit/table/table-state.js";
import { plainText } from "../../kit/text/plain-text.js";
import type { Line, Segment } from "../../kit/text/segment.js";
import { wrapText } from "../../kit/text/wrap-text.js";

/** What stands where there are no rows. */
export function emptyLines(model: Model, table: TableState, width: number): readonly Line[] {
  const { fleet, session } = model;
  const { connection, loaded } = fleet;
  const say = (text: string, tone: Segment["tone"] = "dim"): readonly Line[] =>
    wrapText(plainText(text), Math.max(1, width - 3)).map((part) => [{ text: `   ${part}`, tone }]);
  if (!loaded && (connection.phase === "lost" || connection.phase === "refused")) {
    return [[], ...say(`nothing has been heard of ${session.address} yet`, "bad"), ...say(connection.reason, "bad")];
  }
  if (!loaded) return [[], ...say(`reading the fleet from ${session.address} ...`, "busy")];
  if (table.filterText !== "") return [[], ...say(`nothing matches "${table.filterText}"; esc shows everything`)];
  if (table.faultsOnly) return [[], ...say("nothing here asks for a look; esc shows everything")];
  const isPart = table.scope?.partOf !== undefined;
  const isMade = !session.readOnly && !isPart && findStandardMethod(table.kind.kind, "create") !== undefined;
  return [[], ...say(table.kind.empty), ...(isMade ? say("n makes one here, in a form") : [])];
}
