import { createHash } from "node:crypto";
import { invalidArgument } from "../errors.js";
import { parseFilter } from "./filter.js";
import { type OrderValue, parseOrder } from "./order.js";

/** The paging, filter and order fields every List request has. */
export interface ListRequest {
  readonly pageSize: number;
  readonly pageToken: string;
  readonly filter: string;
  readonly orderBy: string;
}

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

const defaultPageSize = 500;
const maxPageSize = 5000;

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
  if (request.pageSize < 0) throw invalidArgument("page_size", "must not be negative");
  const size = Math.min(request.pageSize === 0 ? defaultPageSize : request.pageSize, maxPageSize);
  const filter = parseFilter(request.filter, type);
  const order = parseOrder(request.orderBy === "" ? defaultOrder : request.orderBy, type);
  const fingerprint = createHash("sha256")
    .update(JSON.stringify([request.filter, order.text]))
    .digest("base64url")
    .slice(0, 8);
  const after = request.pageToken === "" ? undefined : parseToken(request.pageToken, fingerprint);
  const selected: { readonly item: T; readonly key: SortKey }[] = [];
  for (const item of items) {
    if (filter.matches(item)) selected.push({ item, key: { value: order.valueOf(item), name: item.name } });
  }
  selected.sort((left, right) => compareKeys(left.key, right.key, order.descending));
  const start = after === undefined ? 0 : firstAfter(selected, after, order.descending);
  const page = selected.slice(start, start + size);
  const last = page.at(-1);
  const more = last !== undefined && start + page.length < selected.length;
  return {
    items: page.map(({ item }) => item),
    nextPageToken: more
      ? Buffer.from(JSON.stringify([fingerprint, last.key.value, last.key.name])).toString("base64url")
      : "",
    totalSize: selected.length,
  };
}

interface SortKey {
  readonly value: OrderValue;
  readonly name: string;
}
function parseToken(token: string, fingerprint: string): SortKey {
  try {
    const parsed: unknown = JSON.parse(Buffer.from(token, "base64url").toString("utf8"));
    if (Array.isArray(parsed)) {
      const [print, value, name] = parsed as unknown[];
      const valueFits = typeof value === "string" || typeof value === "number";
      if (print === fingerprint && valueFits && typeof name === "string") return { value, name };
    }
  } catch {
    // Told below, like every other token that is not ours.
  }
  throw invalidArgument(
    "page_token",
    "is not one this list gave for the same filter and order; begin with an empty one",
  );
}

function compareKeys(left: SortKey, right: SortKey, descending: boolean): number {
  const byValue = compareValues(left.value, right.value) * (descending ? -1 : 1);
  return byValue === 0 ? compareValues(left.name, right.name) : byValue;
}

function compareValues(left: OrderValue, right: OrderValue): number {
  // Numbers come before text, so that the order is total whatever a field holds.
  if (typeof left !== typeof right) return typeof left === "number" ? -1 : 1;
  return left < right ? -1 : left > right ? 1 : 0;
}

function firstAfter(sorted: readonly { readonly key: SortKey }[], after: SortKey, descending: boolean): number {
  const index = sorted.findIndex(({ key }) => compareKeys(key, after, descending) > 0);
  return index === -1 ? sorted.length : index;
}
