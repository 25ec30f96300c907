import { randomBytes } from "node:crypto";
import { compareKeys, firstAfter, type ListQuery, type SortKey } from "../../lib/list/query.js";
import type { Kept } from "../../lib/watch/kept.js";
import type { KindIndex } from "../../lib/watch/kind-index.js";
import { sortedRuns } from "./sorted-runs.js";
import type { Turns, Work } from "./turns.js";

/** Lists are remembered for so long after a page, so many of them, with so many items together. */
const keepMs = 60_000;
const mostLists = 32;
const mostItems = 300_000;

/** An item with its place. */
interface Placed extends SortKey {
  readonly kept: Kept;
}

interface List {
  readonly items: readonly Placed[];
  usedMs: number;
}

/** What a list is made of. */
export interface ListSource {
  readonly kind: string;
  readonly index: KindIndex;
  /** "hosts/alpha", or "": all. */
  readonly parent: string;
  readonly query: ListQuery;
  /** Those that match the filter, where they were found already. */
  readonly matching?: readonly Kept[];
  /** Identity of the caller. */
  readonly caller: string;
}

/** A part of a list. */
export interface OrderedPage {
  readonly items: readonly Kept[];
  /** Place of the last item when others follow. */
  readonly last: SortKey | undefined;
  /** Stands for the list in the token of the page that follows. */
  readonly list: string;
  /** Number of items on all pages. */
  readonly total: number;
}

/**
 * Lists that are filtered, or ordered by something else than names. Such a list is made with its first page, in parts, and remembered for a
 * while, for whoever got that page: the pages that follow are of what was there then and in the order of then, without what has been removed.
 */
export class OrderedLists {
  readonly #lists = new Map<string, List>();
  readonly #turns: Turns;
  readonly #mostBytes: number;
  #timer: NodeJS.Timeout | undefined;

  /** @param mostBytes of the items of a page. */
  constructor(mostBytes: number, turns: Turns) {
    this.#mostBytes = mostBytes;
    this.#turns = turns;
  }

  /** @param find finds what matches the filter, when that is asked for. */
  async page(source: ListSource, find?: () => Promise<readonly Kept[] | undefined>): Promise<OrderedPage> {
    const { query, index } = source;
    const { after, size, order } = query;
    const list = query.list === "" ? randomBytes(6).toString("base64url") : query.list;
    const key = JSON.stringify([source.kind, source.parent, query.fingerprint, list]);
    const known = after === undefined ? undefined : this.#lists.get(key);
    const items = known?.items ?? (await this.#select(source, find));
    const found: Kept[] = [];
    let at = after === undefined ? 0 : firstAfter(items, after, order.descending);
    let bytes = 0;
    for (; at < items.length && found.length < size; at += 1) {
      const kept = items[at]?.kept;
      if (kept === undefined || (known !== undefined && index.get(kept.name) === undefined)) continue;
      bytes += kept.size;
      if (bytes > this.#mostBytes && found.length > 0) break;
      found.push(kept);
    }
    const last = at < items.length ? items[at - 1] : undefined;
    this.#lists.delete(key);
    if (last !== undefined) this.#remember(key, items);
    return {
      items: found,
      last: last === undefined ? undefined : { value: last.value, name: last.name },
      list,
      total: items.length,
    };
  }

  async #select(source: ListSource, find?: () => Promise<readonly Kept[] | undefined>): Promise<readonly Placed[]> {
    const matching = await find?.();
    const found = matching === undefined ? source : { ...source, matching };
    return await this.#turns.run(source.caller, select(found));
  }

  #remember(key: string, items: readonly Placed[]): void {
    if (items.length > mostItems) return;
    this.#lists.set(key, { items, usedMs: performance.now() });
    let [lists, sum] = [0, 0];
    // The one that was used last stands last.
    for (const [each, list] of [...this.#lists].reverse()) {
      lists += 1;
      sum += list.items.length;
      if (sum > mostItems || lists > mostLists) this.#lists.delete(each);
    }
    this.#timer ??= setInterval(() => this.#forget(), keepMs / 4).unref();
  }

  #forget(): void {
    const before = performance.now() - keepMs;
    for (const [key, { usedMs }] of this.#lists) if (usedMs < before) this.#lists.delete(key);
    if (this.#lists.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}

/** All that match, in order. */
function* select({ index, parent, query, matching }: ListSource): Work<readonly Placed[]> {
  const { filter, order } = query;
  const compare = (left: Placed, right: Placed): number => compareKeys(left, right, order.descending);
  const pick = (kept: Kept): Placed | undefined => {
    const { value } = kept;
    if (matching === undefined && !filter.matches(value)) return undefined;
    return { kept, value: order.valueOf(value), name: kept.name };
  };
  // As they are now: each is what it is, whatever happens to the resource meanwhile.
  const sorted = yield* sortedRuns(matching ?? [...index.all(parent)], pick, compare);
  return sorted.slice(0, query.limit);
}
