import type { CellContext } from "../fleet/fleet-view.js";
import type { TuiKind } from "../kind.js";
import type { Row } from "../row.js";
import type { StateStyle } from "../states.js";
import { stateNumberOf } from "../state-number.js";
import type { Trouble } from "./trouble.js";

/**
 * What is wrong with a resource: what its kind says, else that its state is bad, or that it deserves a look and says why. Of what a host
 * last said that does not answer nothing is said: the host is what is wrong.
 */
export function troubleOf(kind: TuiKind, row: Row, context: CellContext): Trouble | undefined {
  if (kind.log !== undefined) return undefined;
  if (kind.presence === undefined && !context.fleet.isReachable(row.host)) return undefined;
  if (kind.troubleOf !== undefined) return kind.troubleOf(row, context);
  return troubleOfState(kind, row, context);
}

/** What the state and the reason of a resource say. */
export function troubleOfState(kind: TuiKind, row: Row, context: CellContext): Trouble | undefined {
  const style = kind.styleOf?.(stateNumberOf(kind, row.resource)) ?? shownStyle(kind, row, context);
  if (style === undefined || !isWorse(style)) return undefined;
  const why = kind.columns.find(({ id }) => id === "reason")?.cell(row, context).text ?? "";
  // What only deserves a look may be so because somebody wanted it.
  if (style.tone === "warn" && why === "") return undefined;
  const { tone, symbol, word } = style;
  return { tone, symbol, word, why, since: sinceOf(row.resource) };
}

/** How the state of a resource is shown whose kind has no numbers of states. */
function shownStyle(kind: TuiKind, row: Row, context: CellContext): StateStyle | undefined {
  const cell = kind.columns.find(({ id }) => id === "state")?.cell(row, context);
  if (cell?.tone === undefined) return undefined;
  const [symbol = "", ...word] = cell.text.split(" ");
  return { symbol, word: word.join(" "), tone: cell.tone };
}

function isWorse(style: StateStyle): style is StateStyle & { readonly tone: "warn" | "bad" } {
  return style.tone === "bad" || style.tone === "warn";
}

/** `status.since_time`, where there is one. */
function sinceOf(resource: object): Date | undefined {
  const status: unknown = "status" in resource ? resource.status : undefined;
  if (typeof status !== "object" || status === null || !("sinceTime" in status)) return undefined;
  return status.sinceTime instanceof Date ? status.sinceTime : undefined;
}
