import type { Joint } from "../../kit/loops.js";

/** A NIC that is in a lan. */
export interface PluggedNic {
  /** Full name. */
  readonly name: string;
  /** In lower case. */
  readonly mac: string;
  /** Full name of the lan. */
  readonly lan: string;
}

/** NICs of one broadcast domain that have one MAC. */
export interface Duplicate {
  readonly mac: string;
  /** Full names, sorted. */
  readonly nics: readonly string[];
  /** The lans they are in, sorted. */
  readonly lans: readonly string[];
  /** Names of the links of the domain. */
  readonly joints: readonly string[];
}

/** The MACs that are more than once in one broadcast domain: lans and what joins them. Pure; the order of what it is given does not matter. */
export function findDuplicates(nics: readonly PluggedNic[], joints: readonly Joint[]): readonly Duplicate[] {
  const domainOf = domains(joints);
  const groups = Map.groupBy(nics, ({ mac, lan }) => `${mac} ${domainOf(lan)}`);
  return [...groups.values()]
    .filter((group) => group.length > 1)
    .map((group) => ({
      mac: group[0]?.mac ?? "",
      nics: group.map(({ name }) => name).toSorted(),
      lans: [...new Set(group.map(({ lan }) => lan))].toSorted(),
      joints: joints.filter(({ a }) => domainOf(a) === domainOf(group[0]?.lan ?? "")).map(({ name }) => name),
    }))
    .toSorted((left, right) => left.nics.join().localeCompare(right.nics.join()));
}

/** The domain of each lan, named by one of its lans. */
function domains(joints: readonly Joint[]): (lan: string) => string {
  const parents = new Map<string, string>();
  const rootOf = (lan: string): string => {
    let root = lan;
    for (let next = parents.get(root); next !== undefined; next = parents.get(root)) root = next;
    // The next question is answered at once.
    for (let at = lan; at !== root; ) {
      const next = parents.get(at) ?? root;
      parents.set(at, root);
      at = next;
    }
    return root;
  };
  for (const { a, b } of joints) {
    const [left, right] = [rootOf(a), rootOf(b)];
    if (left !== right) parents.set(left, right);
  }
  return rootOf;
}
