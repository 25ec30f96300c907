import type { Counted, TuiKind } from "../kind.js";
import { type StateStyle, unreachableStyle } from "../states.js";
import type { Fleet } from "./fleet.js";

/** How many of a kind are in a state. */
export interface StateCount {
  readonly style: StateStyle;
  readonly count: number;
}

/** What the header says of a kind. */
export interface KindCount {
  readonly kind: TuiKind;
  readonly counted: Counted;
  readonly total: number;
  /** The states that occur, worst last; none for kinds without states. */
  readonly states: readonly StateCount[];
}

/** Counts for the header, in the order of the kinds. */
export type FleetSummary = readonly KindCount[];

const toneOrder = ["good", "busy", "plain", "strong", "accent", "dim", "warn", "bad"];

/** A reader of the counts that computes them again only after something changed. */
export function createSummary(fleet: Fleet): () => FleetSummary {
  let key = "";
  let summary: FleetSummary = [];
  return () => {
    const counted = fleet.kinds.all.filter((kind) => kind.counted !== undefined);
    const current = counted.map(({ kind }) => fleet.table(kind).version).join(" ");
    if (key !== current) summary = counted.flatMap((kind) => countKind(fleet, kind));
    key = current;
    return summary;
  };
}

function countKind(fleet: Fleet, kind: TuiKind): readonly KindCount[] {
  const { counted } = kind;
  return counted === undefined ? [] : [{ counted, ...countOf(fleet, kind) }];
}

/** How many of a kind there are, in which states. */
export function countOf(fleet: Fleet, kind: TuiKind): Omit<KindCount, "counted"> {
  return { kind, total: fleet.table(kind.kind).size, states: countStates(fleet, kind) };
}

/** What is on a host that does not answer counts as unreachable, whatever it was. */
function countStates(fleet: Fleet, kind: TuiKind): readonly StateCount[] {
  const { styleOf } = kind;
  if (styleOf === undefined) return [];
  const table = fleet.table(kind.kind);
  const sums = new Map<StateStyle, number>();
  const add = (style: StateStyle, count: number) => sums.set(style, (sums.get(style) ?? 0) + count);
  for (const [state, count] of table.totals) add(styleOf(state), count);
  for (const host of kind.presence === undefined ? fleet.unreachable : []) {
    for (const [state, count] of table.statesOn(host)) {
      add(styleOf(state), -count);
      add(unreachableStyle, count);
    }
  }
  return [...sums]
    .filter(([, count]) => count > 0)
    .map(([style, count]) => ({ style, count }))
    .sort((left, right) => toneOrder.indexOf(left.style.tone) - toneOrder.indexOf(right.style.tone));
}
