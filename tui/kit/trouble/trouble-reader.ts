import type { CellContext } from "../fleet/fleet-view.js";
import type { Fleet } from "../fleet/fleet.js";
import type { TuiKind } from "../kind.js";
import type { Row } from "../row.js";
import { troubleOf } from "./find-trouble.js";
import type { Trouble } from "./trouble.js";

/** A resource with what is wrong with it. */
export interface Troubled {
  readonly kind: TuiKind;
  readonly row: Row;
  readonly trouble: Trouble;
}

/**
 * Everything that is wrong in a fleet, kept up to date with work in proportion to what changed. Kinds whose trouble
 * comes and goes with the time are looked at each time.
 */
export class TroubleReader {
  readonly #fleet: Fleet;
  readonly #versions = new Map<string, number>();
  /** Slots of what is wrong, by kind. */
  readonly #suspects = new Map<string, Set<number>>();

  constructor(fleet: Fleet) {
    this.#fleet = fleet;
  }

  /** What is wrong, the worst first, then in the order of the kinds, the newest first. */
  read(context: CellContext): readonly Troubled[] {
    const found = this.#fleet.kinds.all.flatMap((kind, rank) =>
      this.#rowsOf(kind, context).flatMap((row) => {
        const trouble = troubleOf(kind, row, context);
        return trouble === undefined ? [] : [{ kind, row, trouble, rank }];
      }),
    );
    const sinceOf = ({ trouble }: Troubled): number => trouble.since?.getTime() ?? 0;
    return found.sort(
      (left, right) =>
        Number(right.trouble.tone === "bad") - Number(left.trouble.tone === "bad") ||
        left.rank - right.rank ||
        sinceOf(right) - sinceOf(left) ||
        (left.row.name < right.row.name ? -1 : 1),
    );
  }

  #rowsOf(kind: TuiKind, context: CellContext): readonly Row[] {
    if (kind.log !== undefined) return [];
    if (kind.troubleAges === true) return [...this.#fleet.rowsOf(kind.kind)];
    const table = this.#fleet.table(kind.kind);
    return [...this.#suspectsOf(kind, context)].flatMap((slot) => table.at(slot) ?? []);
  }

  #suspectsOf(kind: TuiKind, context: CellContext): ReadonlySet<number> {
    const table = this.#fleet.table(kind.kind);
    const changes = table.changesSince(this.#versions.get(kind.kind) ?? 0);
    const isNew = !this.#versions.has(kind.kind) || changes.everything;
    const suspects = isNew ? new Set<number>() : (this.#suspects.get(kind.kind) ?? new Set<number>());
    const slots = isNew ? table.slots() : changes.everything ? [] : changes.slots;
    for (const slot of slots) {
      const row = table.glance(slot);
      if (row !== undefined && troubleOf(kind, row, context) !== undefined) suspects.add(slot);
      else suspects.delete(slot);
    }
    this.#versions.set(kind.kind, changes.version);
    this.#suspects.set(kind.kind, suspects);
    return suspects;
  }
}
