import { kindNamed } from "../../lib/kinds/kinds.js";
import { type ListPage, type ListRequest, listPage } from "../../lib/list/list.js";
import { readQuery, tokenAfter } from "../../lib/list/query.js";
import type { Unreachable } from "../../proto/gen/zor/v1/unreachable.js";
import type { Fleet } from "../fleet/fleet.js";
import type { Inventory } from "./inventory.js";
import { KeptItems } from "./kept-items.js";
import { OrderedLists } from "./ordered-lists.js";

/** A page with what is missing from it. */
export interface FleetPage<Items> {
  readonly items: Items;
  readonly nextPageToken: string;
  readonly totalSize: number;
  readonly unreachable: Unreachable[];
}

/** What is listed of the inventory. */
export interface KeptList {
  /** Singular. */
  readonly kind: string;
  /** Id of a host, "-": of all hosts, "": also those of the hub itself. */
  readonly host: string;
  readonly request: ListRequest;
  /** Identity of the caller. */
  readonly caller: string;
  readonly defaultOrder?: string;
}

/** A page ends before it has more bytes than this, but has one item at least: a message must not be larger than 8 MiB. */
const mostBytes = 4 * 1024 * 1024;

/** Lists what the hub knows, without asking a host, and names the hosts of which it may be old. */
export class Lister {
  readonly #fleet: Pick<Fleet, "unreachable">;
  readonly #inventory: Inventory;
  readonly #ordered = new OrderedLists(mostBytes);

  constructor(fleet: Pick<Fleet, "unreachable">, inventory: Inventory) {
    this.#fleet = fleet;
    this.#inventory = inventory;
  }

  /**
   * A page of resources that are at hand.
   * @param type full name of their message. @throws {ZorError} INVALID_ARGUMENT for a bad page, filter or order.
   */
  page<T extends { readonly name: string }>(
    items: readonly T[],
    request: ListRequest,
    type: string,
  ): ListPage<T> & FleetPage<T[]> {
    return { ...listPage(items, request, type), unreachable: this.#fleet.unreachable(new Date()) };
  }

  /**
   * A page of the inventory. By name it costs what is on it; a filter or another order look at everything once, with the first page.
   * @throws {ZorError} NOT_FOUND for an unknown host, INVALID_ARGUMENT for a bad page, filter or order.
   */
  async kept({ kind, host, request, caller, defaultOrder = "name" }: KeptList): Promise<FleetPage<KeptItems>> {
    const query = readQuery(request, kindNamed(kind).type, { defaultOrder });
    const now = new Date();
    const ofAll = host === "-" || host === "";
    const unreachable = this.#fleet.unreachable(now, ofAll ? undefined : host);
    const index = this.#inventory.log.index(kind);
    const parent = host === "" ? "" : host === "-" ? "hosts" : `hosts/${host}`;
    if (query.isPlain) {
      const range = { after: query.after?.name ?? "", most: query.size, mostBytes, parent };
      const { items, more } = index.page(range);
      const last = items.at(-1);
      const nextPageToken = more && last !== undefined ? tokenAfter(query, { value: last.name, name: last.name }) : "";
      return { items: new KeptItems(items), nextPageToken, totalSize: index.count(parent), unreachable };
    }
    const { items, last, total } = await this.#ordered.page({ kind, index, parent, query, caller });
    const nextPageToken = last === undefined ? "" : tokenAfter(query, last);
    return { items: new KeptItems(items), nextPageToken, totalSize: total, unreachable };
  }
}
