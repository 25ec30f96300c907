import type { Change } from "../store/store.js";

/** Resources of one kind that cannot be without others. */
export interface Dependents {
  /** Names of those that cannot be without the named resource, and are not on their way out already. */
  of(name: string): readonly string[];
  /** The changes that take them out; commit them, then call {@link removed}. */
  planRemoval(names: readonly string[]): readonly Change[];
  /** The changes were made. */
  removed(names: readonly string[]): void;
}

/** What must go with a resource. */
export interface DependentsOf {
  readonly names: readonly string[];
  /** The kind of them all, or the first of several, in the singular. */
  readonly kind: string;
  readonly changes: readonly Change[];
  /** Call it when the changes were made. */
  readonly removed: () => void;
}

/** Which resources refer to which others: kinds that have references add themselves, and nobody else knows of them. */
export class References {
  readonly #kinds: { readonly kind: string; readonly dependents: Dependents }[] = [];

  /** @param kind of those that refer, in the singular. */
  add(kind: string, dependents: Dependents): void {
    this.#kinds.push({ kind, dependents });
  }

  /** What cannot be without the named resource. */
  dependentsOf(name: string): DependentsOf {
    const found = this.#kinds
      .map(({ kind, dependents }) => ({ kind, dependents, names: dependents.of(name) }))
      .filter(({ names }) => names.length > 0);
    return {
      names: found.flatMap(({ names }) => names),
      kind: found[0]?.kind ?? "",
      changes: found.flatMap(({ dependents, names }) => dependents.planRemoval(names)),
      removed: () => {
        for (const { dependents, names } of found) dependents.removed(names);
      },
    };
  }
}
