import { firstPlace } from "../first-place.js";
import type { Kept } from "./kept.js";

/** Resources of one kind below one parent. */
interface Shelf {
  readonly byName: Map<string, Kept>;
  /** Names in order; undefined: to be sorted when that is needed. */
  names: readonly string[] | undefined;
}

/** A part of the resources of a kind, in the order of their names. */
export interface NamePage {
  readonly items: readonly Kept[];
  /** Whether others follow. */
  readonly more: boolean;
}

/** Which part. */
export interface PageRange {
  /** Name after which it begins; "": at the first. */
  readonly after: string;
  /** Most resources, and most bytes of them: one is always given. */
  readonly most: number;
  readonly mostBytes: number;
  /** "hosts/alpha", or "": all. */
  readonly parent: string;
}

/**
 * All resources of one kind, by parent and name. What is asked of one parent costs what is below it, and a page costs what is on it,
 * whatever else there is.
 */
export class KindIndex {
  readonly #shelves = new Map<string, Shelf>();
  /** Parents, "hosts/alpha/lans/", in order: so are the names below them, as none begins with another. */
  readonly #parents: string[] = [];
  #size = 0;

  /** How many there are. */
  get size(): number {
    return this.#size;
  }

  get(name: string): Kept | undefined {
    return this.#shelves.get(parentOf(name))?.byName.get(name);
  }

  /** Makes or replaces one. */
  set(kept: Kept): void {
    const shelf = this.#shelf(parentOf(kept.name));
    const before = shelf.byName.size;
    shelf.byName.set(kept.name, kept);
    if (shelf.byName.size === before) return;
    shelf.names = undefined;
    this.#size += 1;
  }

  /** Removes one; false: there is none. */
  delete(name: string): boolean {
    const parent = parentOf(name);
    const shelf = this.#shelves.get(parent);
    if (shelf?.byName.delete(name) !== true) return false;
    shelf.names = undefined;
    this.#size -= 1;
    if (shelf.byName.size > 0) return true;
    this.#shelves.delete(parent);
    this.#parents.splice(lowerBound(this.#parents, parent), 1);
    return true;
  }

  /** All below a parent ("hosts/alpha"; "": all), those of the same parent in the order in which they were made. */
  *all(parent: string): IterableIterator<Kept> {
    for (const shelf of this.#below(parent)) yield* shelf.byName.values();
  }

  /** How many are below a parent. */
  count(parent: string): number {
    if (parent === "") return this.#size;
    return this.#below(parent).reduce((sum, { byName }) => sum + byName.size, 0);
  }

  /** A page in the order of names. */
  page({ after, most, mostBytes, parent }: PageRange): NamePage {
    const items: Kept[] = [];
    let bytes = 0;
    const from = after === "" ? 0 : lowerBound(this.#parents, parentOf(after));
    for (const shelf of this.#below(parent, from)) {
      shelf.names ??= [...shelf.byName.keys()].sort(compareTexts);
      const { names } = shelf;
      for (let at = upperBound(names, after); at < names.length; at += 1) {
        const kept = shelf.byName.get(names[at] ?? "");
        if (kept === undefined) continue;
        bytes += kept.size;
        if (items.length === most || (bytes > mostBytes && items.length > 0)) return { items, more: true };
        items.push(kept);
      }
    }
    return { items, more: false };
  }

  /** @param from index of the first parent that counts. */
  #below(parent: string, from = 0): Shelf[] {
    const prefix = parent === "" ? "" : `${parent}/`;
    const below: Shelf[] = [];
    for (let at = Math.max(from, lowerBound(this.#parents, prefix)); at < this.#parents.length; at += 1) {
      const each = this.#parents[at] ?? "";
      if (!each.startsWith(prefix)) break;
      const shelf = this.#shelves.get(each);
      if (shelf !== undefined) below.push(shelf);
    }
    return below;
  }

  #shelf(parent: string): Shelf {
    const known = this.#shelves.get(parent);
    if (known !== undefined) return known;
    const made: Shelf = { byName: new Map(), names: undefined };
    this.#shelves.set(parent, made);
    this.#parents.splice(lowerBound(this.#parents, parent), 0, parent);
    return made;
  }
}

/** "hosts/alpha/lans/" of "hosts/alpha/lans/lan1". */
function parentOf(name: string): string {
  return name.slice(0, name.lastIndexOf("/") + 1);
}

/** Index of the first of sorted texts that is not before this one. */
function lowerBound(sorted: readonly string[], text: string): number {
  return firstPlace(0, sorted.length, (at) => (sorted[at] ?? "") >= text);
}

/** Index of the first of sorted texts that is after this one. */
function upperBound(sorted: readonly string[], text: string): number {
  return firstPlace(0, sorted.length, (at) => (sorted[at] ?? "") > text);
}

function compareTexts(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}
