import type { Action } from "./action.js";
import type { Fleet } from "./fleet/fleet.js";
import { hubOf } from "./hubs.js";
import type { TuiKind } from "./kind.js";
import { hostsOf, pluralOf } from "./kind-table.js";
import { shortName } from "./resource-name.js";
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
  /** How many of each kind suffer or are cut, by the plural of the kind. */
  readonly affected?: ReadonlyMap<string, number>;
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
  const rowsChanged = changes.map((change) => change.row);
  const isDeleting = action.verb === "delete";
  const suffering = isDeleting ? sufferers(fleet, rowsChanged) : [];
  const collateral = [...new Set(suffering.map(({ text }) => text))];
  const cut = isDeleting
    ? []
    : action.dangerous === true
      ? cablesOf(fleet, new Set(rowsChanged.map(({ name }) => name)))
      : [];
  const affected = countByKind(
    [...suffering.map(({ row }) => row), ...cut],
    new Set(rowsChanged.map(({ name }) => name)),
    fleet,
  );
  return { kind, action, changes, skipped, collateral, affected };
}

/** Cables with an end in one of these: while that is down, they carry nothing. */
function cablesOf(fleet: Fleet, names: ReadonlySet<string>): readonly Row[] {
  return fleet.kinds.all.flatMap(({ kind, map }) => {
    if (map?.shape !== "cable") return [];
    return [...fleet.rowsOf(kind)].filter((row) =>
      map
        .endsOf(row.resource, row.name)
        .some(({ into }) => names.has(into) || names.has(into.split("/").slice(0, 4).join("/"))),
    );
  });
}

function countByKind(
  rows: readonly Row[],
  changed: ReadonlySet<string>,
  { kinds }: Fleet,
): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  // Each once, and what is changed itself is counted as that.
  for (const [name, { kind }] of new Map(rows.map((row) => [row.name, row]))) {
    const word = pluralOf(kinds.get(kind));
    if (!changed.has(name)) counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  return counts;
}

/** What happens to other resources when one is deleted, a line each. */
export function sufferersFrom(fleet: Fleet, deleted: Row): readonly string[] {
  return sufferers(fleet, [deleted]).map(({ text }) => text);
}

/** Looks at everything once, however much is deleted. */
function sufferers(fleet: Fleet, deleted: readonly Row[]): readonly { readonly row: Row; readonly text: string }[] {
  const byName = new Map(deleted.map((row) => [row.name, row]));
  return fleet.kinds.all.flatMap((kind) => {
    const { livesOn, suffersFrom } = kind;
    if (suffersFrom === undefined) return [];
    const found: { readonly row: Row; readonly text: string }[] = [];
    for (const row of fleet.rowsOf(kind.kind)) {
      for (const name of livesOn?.(row) ?? byName.keys()) {
        const other = byName.get(name);
        const text = other === undefined ? undefined : suffersFrom(row, other);
        if (text !== undefined) found.push({ row, text });
      }
    }
    return found;
  });
}

/**
 * What has to be typed to go ahead: nothing, "y", what the action asks for, or the number of things that would be deleted, or of more than
 * `typeNumberAbove` that would be changed in whatever way.
 */
export function confirmationOf(
  { action, changes, unseen }: Impact,
  typeNumberAbove = Number.POSITIVE_INFINITY,
): string | undefined {
  const [first, ...others] = changes;
  const deleting = action.verb === "delete";
  if (changes.length > typeNumberAbove || (deleting && others.length > 0)) return `${changes.length}`;
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

/** "stop 312 instances on 9 hosts, cuts 4 wires": how far it reaches, in a line. */
export function blastText(impact: Impact): string {
  const { kind, action, changes, affected = new Map<string, number>() } = impact;
  const hosts = new Set(changes.flatMap(({ row }) => hostsOf(kind, row).filter((host) => host !== "")));
  const where = changes.length > 1 && hosts.size > 1 ? ` on ${hosts.size} hosts` : "";
  const counts = [...affected].map(([word, count]) => `${count} ${count === 1 ? word.replace(/s$/, "") : word}`);
  const what = action.verb === "delete" ? "affects" : "cuts";
  return `${impactTitle(impact)}${where}${counts.length === 0 ? "" : `, ${what} ${counts.join(", ")}`}`;
}

function whyNot(fleet: Fleet, kind: TuiKind, action: Action, row: Row): string | undefined {
  const pending = fleet.pendingOf(row.name);
  if (pending !== undefined) return `still waiting for ${pending.verb}`;
  if (fleet.isAway(row.name)) return `hub ${hubOf(row.name)} does not answer; try again when it is back`;
  // The hub answers for hosts itself, whether they do or not.
  if (kind.presence === undefined && !fleet.isReachable(row.host)) {
    return `host ${row.host} does not answer; try again when it is back`;
  }
  return action.whyNot?.(row, fleet);
}
