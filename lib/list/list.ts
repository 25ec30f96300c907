import { compareKeys, firstAfter, type ListRequest, readQuery, type SortKey, tokenAfter } from "./query.js";

export type { ListRequest };

/** One page. */
export interface ListPage<T> {
  readonly items: T[];
  /** Empty on the last page. */
  readonly nextPageToken: string;
  /** Number of items that match the filter, on all pages. */
  readonly totalSize: number;
}

interface NamedItem {
  readonly name: string;
}

/**
 * Filters, orders and pages resources. A page begins after the last item of the one before, by order and name, so items made
 * or removed in between neither repeat nor hide others.
 * @param type full name of the items' message, "zor.v1.Instance".
 * @param defaultOrder such as "name" or "create_time desc".
 * @throws {ZorError} INVALID_ARGUMENT naming page_size, page_token, filter or order_by.
 */
export function listPage<T extends NamedItem>(
  items: Iterable<T>,
  request: ListRequest,
  type: string,
  defaultOrder = "name",
): ListPage<T> {
  const query = readQuery(request, type, { defaultOrder });
  const { filter, order, after, size } = query;
  const selected: (SortKey & { readonly item: T })[] = [];
  for (const item of items) {
    if (filter.matches(item)) selected.push({ item, value: order.valueOf(item), name: item.name });
  }
  selected.sort((left, right) => compareKeys(left, right, order.descending));
  if (selected.length > query.limit) selected.length = query.limit;
  const start = after === undefined ? 0 : firstAfter(selected, after, order.descending);
  const page = selected.slice(start, start + size);
  const last = page.at(-1);
  const more = last !== undefined && start + page.length < selected.length;
  return {
    items: page.map(({ item }) => item),
    nextPageToken: more ? tokenAfter(query, last) : "",
    totalSize: selected.length,
  };
}
