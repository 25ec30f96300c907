import { shortName } from "./resource-name.js";
import type { Action } from "./action.js";
import type { Fleet } from "./fleet/fleet.js";
import type { TuiKind } from "./kind.js";
import { pluralOf } from "./kind-table.js";
import type { Row } from "./row.js";

/** One thing that would change, and what that takes along. */
export interface ImpactLine {
  readonly row: Row;
  /** "alpha/vm1" */
  readonly subject: string;
  readonly effect: string;
}

/** What an action would do, before it is done. */
export interface Impact {
  readonly kind: TuiKind;
  readonly action: Action;
  readonly changes: readonly ImpactLine[];
  /** What was chosen but cannot be done, with the reason. */
  readonly skipped: readonly ImpactLine[];
  /** Other things that suffer: links that lose an end, guests that lose their link. */
  readonly collateral: readonly string[];
  /** Names of what would change and is not on the screen: a filter hides it. */
  readonly unseen?: ReadonlySet<string>;
}

/** Works out what an action on these rows of a kind would change: the blast radius. */
export function planImpact(fleet: Fleet, kind: TuiKind, action: Action, rows: readonly Row[]): Impact {
  const changes: ImpactLine[] = [];
  const skipped: ImpactLine[] = [];
  for (const row of rows) {
    const subject = shortName(row.name);
    const refusal = whyNot(fleet, kind, action, row);
    if (refusal === undefined) changes.push({ row, subject, effect: action.effect(row, fleet) });
    else skipped.push({ row, subject, effect: refusal });
  }
  const collateral = action.verb === "delete" ? changes.flatMap((change) => sufferersFrom(fleet, change.row)) : [];
  return { kind, action, changes, skipped, collateral: [...new Set(collateral)] };
}

/** What happens to other resources when one is deleted, a line each. */
export function sufferersFrom(fleet: Fleet, deleted: Row): readonly string[] {
  const texts: string[] = [];
  for (const kind of fleet.kinds.all) {
    if (kind.suffersFrom === undefined) continue;
    for (const row of fleet.rowsOf(kind.kind)) {
      const text = kind.suffersFrom(row, deleted);
      if (text !== undefined) texts.push(text);
    }
  }
  return texts;
}

/** What has to be typed to go ahead: nothing, "y", what the action asks for, or the number of things that would be deleted. */
export function confirmationOf({ action, changes, unseen }: Impact): string | undefined {
  const [first, ...others] = changes;
  const deleting = action.verb === "delete";
  if (deleting && others.length > 0) return `${changes.length}`;
  if (others.length > 0) return "y";
  const phrase = first === undefined ? undefined : action.phraseFor?.(first.row);
  return phrase ?? (action.dangerous === true || (unseen?.size ?? 0) > 0 ? "y" : undefined);
}

/** "stop 3 instances" */
export function impactTitle({ kind, action, changes }: Impact): string {
  const [first] = changes;
  if (first === undefined) return `nothing to ${action.verb}`;
  return changes.length === 1
    ? `${action.verb} ${kind.kind} ${first.subject}`
    : `${action.verb} ${changes.length} ${pluralOf(kind)}`;
}

function whyNot(fleet: Fleet, kind: TuiKind, action: Action, row: Row): string | undefined {
  const pending = fleet.pendingOf(row.name);
  if (pending !== undefined) return `still waiting for ${pending.verb}`;
  // The hub answers for hosts itself, whether they do or not.
  if (kind.presence === undefined && !fleet.isReachable(row.host)) {
    return `host ${row.host} does not answer; try again when it is back`;
  }
  return action.whyNot?.(row, fleet);
}
