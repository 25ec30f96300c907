import type { Action } from "./action.js";
import type { Fleet } from "./fleet/fleet.js";
import { hubOf } from "./hubs.js";
import type { TuiKind } from "./kind.js";
import { hostsOf, pluralOf } from "./kind-table.js";
import { shortIdentity, shortName } from "./resource-name.js";
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
  /** What suffers or is cut, of each kind, by its plural. */
  readonly affected?: ReadonlyMap<string, Share>;
  /** Whose that is what would change, where that is told and it is not one's own: identities, with how many of each. */
  readonly others?: ReadonlyMap<string, number>;
  /** Names of what would change and is not on the screen: a filter hides it. */
  readonly unseen?: ReadonlySet<string>;
}

/** How many there are of something, and of whom those are that are not one's own: identities, with how many of each. */
export interface Share {
  readonly count: number;
  readonly others: ReadonlyMap<string, number>;
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
  const names = new Set(rowsChanged.map(({ name }) => name));
  const suffering = isDeleting ? sufferers(fleet, rowsChanged) : [];
  const told = new Set(suffering.map(({ row }) => row.name));
  const lost = action.dangerous === true ? losers(fleet, names).filter(({ row }) => !told.has(row.name)) : [];
  const collateral = [...new Set([...suffering, ...lost].map(({ text }) => text))];
  const cables = !isDeleting && action.dangerous === true ? cablesOf(fleet, names) : [];
  const affected = countByKind([...[...suffering, ...lost].map(({ row }) => row), ...cables], names, fleet);
  return { kind, action, changes, skipped, collateral, affected, others: othersOf(fleet, kind, rowsChanged) };
}

/** What ends, or leads nowhere, while these are down. */
function losers(fleet: Fleet, names: ReadonlySet<string>): readonly Suffering[] {
  return fleet.kinds.all.flatMap((kind) => {
    const { needs, loss } = kind;
    if (needs === undefined) return [];
    const rows = [...fleet.rowsOf(kind.kind)].filter((row) => needs(row).some((name) => names.has(name)));
    return rows.map((row) => ({ row, text: loss?.(row) ?? `${kind.kind} ${shortName(row.name)}` }));
  });
}

/** Whose these are, of those that are somebody else's: identities, with how many of each. */
function othersOf(fleet: Fleet, { ofWhom }: TuiKind, rows: readonly Row[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const { name, resource } of rows) {
    const who = ofWhom?.(resource) ?? "";
    const own = fleet.own.get(hubOf(name));
    if (who !== "" && own !== undefined && who !== own) counts.set(who, (counts.get(who) ?? 0) + 1);
  }
  return counts;
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

function countByKind(rows: readonly Row[], changed: ReadonlySet<string>, fleet: Fleet): ReadonlyMap<string, Share> {
  // Each once, and what is changed itself is counted as that.
  const each = [...new Map(rows.map((row) => [row.name, row])).values()].filter(({ name }) => !changed.has(name));
  return new Map(
    [...Map.groupBy(each, ({ kind }) => kind)].map(([singular, found]) => {
      const kind = fleet.kinds.get(singular);
      return [pluralOf(kind), { count: found.length, others: othersOf(fleet, kind, found) }];
    }),
  );
}

/** What suffers, and how. */
interface Suffering {
  readonly row: Row;
  readonly text: string;
}

/** What happens to other resources when one is deleted, a line each. */
export function sufferersFrom(fleet: Fleet, deleted: Row): readonly string[] {
  return sufferers(fleet, [deleted]).map(({ text }) => text);
}

/** Looks at everything once, however much is deleted. */
function sufferers(fleet: Fleet, deleted: readonly Row[]): readonly Suffering[] {
  const byName = new Map(deleted.map((row) => [row.name, row]));
  return fleet.kinds.all.flatMap((kind) => {
    const { livesOn, suffersFrom } = kind;
    if (suffersFrom === undefined) return [];
    const found: Suffering[] = [];
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

/** "stop 312 instances on 9 hosts, cuts 4 wires, 2 sessions of somebody else": how far it reaches, in a line. */
export function blastText(impact: Impact): string {
  const { kind, action, changes, affected = new Map<string, Share>(), others = new Map<string, number>() } = impact;
  const hosts = new Set(changes.flatMap(({ row }) => hostsOf(kind, row).filter((host) => host !== "")));
  const where = changes.length > 1 && hosts.size > 1 ? ` on ${hosts.size} hosts` : "";
  const counts = [...affected].map(
    ([word, { count, others: theirs }]) =>
      `${count} ${count === 1 ? word.replace(/s$/, "") : word}${ofOthers(count, theirs)}`,
  );
  const what = action.verb === "delete" ? "affects" : "cuts";
  return `${impactTitle(impact)}${ofOthers(changes.length, others)}${where}${counts.length === 0 ? "" : `, ${what} ${counts.join(", ")}`}`;
}

/** " of ana" where all are hers, " (2 of somebody else)" where some are of several people; "" where all are one's own. */
function ofOthers(count: number, others: ReadonlyMap<string, number>): string {
  const theirs = [...others.values()].reduce((sum, each) => sum + each, 0);
  if (theirs === 0) return "";
  const [only = ""] = others.keys();
  const who = others.size === 1 ? shortIdentity(only) : "somebody else";
  return theirs === count ? ` of ${who}` : ` (${theirs} of ${who})`;
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
