import type { Figure } from "../../../proto/gen/zor/v1/figures.js";

/** What a resource uses. */
export interface Used {
  /** In the units of the figures. */
  readonly values: ReadonlyMap<Figure, number>;
  /** Local time since which nothing new comes of it; undefined: it is as it is now. */
  readonly oldSinceMs?: number | undefined;
}

const none: ReadonlyMap<string, Used> = new Map();

/** What is used now, of what somebody looks at: nothing is known of the others. By names of resources. */
export class Usage {
  #shown = none;
  #ranked = none;

  /** What a resource uses of something; undefined: it is not measured, or nobody has looked yet. */
  of(name: string, figure: Figure): { readonly value: number; readonly oldSinceMs: number | undefined } | undefined {
    for (const known of [this.#ranked, this.#shown]) {
      const used = known.get(name);
      const value = used?.values.get(figure);
      if (value !== undefined) return { value, oldSinceMs: used?.oldSinceMs };
    }
    return undefined;
  }

  /** By what a resource is in order; undefined: it is not among those whose order is known. */
  rankOf(name: string, figure: Figure): number | undefined {
    return this.#ranked.get(name)?.values.get(figure);
  }

  /** These are on the screen. */
  show(shown: ReadonlyMap<string, Used>): void {
    this.#shown = shown;
  }

  /** These are the first ones in an order. @returns those that may stand elsewhere now. */
  rank(ranked: ReadonlyMap<string, Used>): ReadonlySet<string> {
    const before = this.#ranked;
    this.#ranked = ranked;
    const moved = new Set<string>();
    for (const name of before.keys()) if (!ranked.has(name)) moved.add(name);
    for (const [name, { values }] of ranked) if (!areSame(before.get(name)?.values, values)) moved.add(name);
    return moved;
  }
}

function areSame(left: ReadonlyMap<Figure, number> | undefined, right: ReadonlyMap<Figure, number>): boolean {
  if (left?.size !== right.size) return false;
  for (const [figure, value] of right) if (left.get(figure) !== value) return false;
  return true;
}
