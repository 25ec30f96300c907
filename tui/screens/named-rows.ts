import type { Model } from "../kit/model.js";
import { shortName } from "../kit/resource-name.js";

/** No more names are offered. */
const mostNames = 50;

/** Names that `typed` may be the beginning of, of all that is in the fleet but events, sorted. */
export function namesFrom({ fleet, kinds }: Model, typed: string): readonly string[] {
  const names = new Set<string>();
  for (const { kind, log } of kinds.all) {
    if (log !== undefined) continue;
    for (const { name } of fleet.rowsOf(kind)) {
      const short = shortName(name);
      if (short.startsWith(typed)) names.add(short);
      if (names.size === mostNames) return [...names].sort();
    }
  }
  return [...names].sort();
}
