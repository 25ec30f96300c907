import { createHash } from "node:crypto";
import { invalidArgument } from "../errors.js";
import { firstPlace } from "../first-place.js";
import type { Facts } from "../query/facts.js";
import { parseFilter, type ResourceFilter } from "./filter.js";
import { compareOrderValues, type Order, type OrderValue, orderOf, parseOrder } from "./order.js";

/** The paging, filter and order fields every List request has. */
export interface ListRequest {
  readonly pageSize: number;
  readonly pageToken: string;
  readonly filter: string;
  readonly orderBy: string;
}

/** Where an item stands in a list. */
export interface SortKey {
  readonly value: OrderValue;
  readonly name: string;
}

/** A List request, as it was understood. */
export interface ListQuery {
  /** Most items of the page. */
  readonly size: number;
  readonly filter: ResourceFilter;
  readonly order: Order;
  /** Most items on all pages together. */
  readonly limit: number;
  /** Everything, by name: the items need not be looked at. */
  readonly isPlain: boolean;
  /** Stands for filter and order. */
  readonly fingerprint: string;
  /** After which item the page begins; undefined: it is the first. */
  readonly after: SortKey | undefined;
  /** Of which list that was made before the page is a part, as {@link tokenAfter} was told; "": of none. */
  readonly list: string;
}

const defaultPageSize = 500;
const maxPageSize = 5000;

/**
 * Reads the fields of a List request.
 * @param type full name of the items' message, "zor.v1.Instance".
 * @param ways.defaultOrder such as "name" or "create_time desc". @param ways.facts what fields ask for that do not stand in the items.
 * @throws {ZorError} INVALID_ARGUMENT naming page_size, page_token, filter or order_by.
 */
export function readQuery(
  request: ListRequest,
  type: string,
  { defaultOrder, facts }: { readonly defaultOrder: string; readonly facts?: Facts | undefined },
): ListQuery {
  if (request.pageSize < 0) throw invalidArgument("page_size", "must not be negative");
  const size = Math.min(request.pageSize === 0 ? defaultPageSize : request.pageSize, maxPageSize);
  const filter = parseFilter(request.filter, type, facts, true);
  const { sort, limit = Number.POSITIVE_INFINITY } = filter.query;
  const isSaidTwice = sort.length > 0 && request.orderBy !== "";
  if (isSaidTwice) throw invalidArgument("order_by", 'the filter has a "sort by" already; say it in one of them');
  const order =
    sort.length > 0
      ? orderOf("filter", sort, type, facts)
      : parseOrder(request.orderBy === "" ? defaultOrder : request.orderBy, type, facts);
  const isPlain = request.filter.trim() === "" && order.text === "name false";
  const fingerprint = createHash("sha256")
    .update(JSON.stringify([request.filter, order.text]))
    .digest("base64url")
    .slice(0, 8);
  const place = request.pageToken === "" ? nowhere : parseToken(request.pageToken, fingerprint);
  return { size, filter, order, limit, isPlain, fingerprint, ...place };
}

/** The token of the page that begins after an item. @param list stands for the list that the pages are of, where one is kept for them. */
export function tokenAfter({ fingerprint }: ListQuery, { value, name }: SortKey, list = ""): string {
  const parts = [fingerprint, value, name, ...(list === "" ? [] : [list])];
  return Buffer.from(JSON.stringify(parts)).toString("base64url");
}

/** Compares items by order and name. */
export function compareKeys(left: SortKey, right: SortKey, descending: readonly boolean[]): number {
  const byValue = compareOrderValues(left.value, right.value, descending);
  return byValue === 0 ? compareTexts(left.name, right.name) : byValue;
}

/** Index of the first of sorted items that comes after a place. */
export function firstAfter(sorted: readonly SortKey[], after: SortKey, descending: readonly boolean[]): number {
  return firstPlace(0, sorted.length, (at) => {
    const key = sorted[at];
    return key !== undefined && compareKeys(key, after, descending) > 0;
  });
}

type PagePlace = Pick<ListQuery, "after" | "list">;

const nowhere: PagePlace = { after: undefined, list: "" };

function parseToken(token: string, fingerprint: string): PagePlace {
  try {
    const parsed: unknown = JSON.parse(Buffer.from(token, "base64url").toString("utf8"));
    if (Array.isArray(parsed)) {
      const [print, value, name, list = ""] = parsed as unknown[];
      const valueFits = isSortValue(value) || (Array.isArray(value) && value.every(isSortValue));
      const isOurs = print === fingerprint && valueFits && typeof name === "string" && typeof list === "string";
      // Sort values are what was looked at just now.
      if (isOurs) return { after: { value: value as OrderValue, name }, list };
    }
  } catch {
    // Told below, like every other token that is not ours.
  }
  throw invalidArgument(
    "page_token",
    "is not one this list gave for the same filter and order; begin with an empty one",
  );
}

function isSortValue(value: unknown): boolean {
  return typeof value === "string" || typeof value === "number";
}

function compareTexts(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}
