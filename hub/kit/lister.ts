import { kindNamed } from "../../lib/kinds/kinds.js";
import { type ListPage, type ListRequest, listPage } from "../../lib/list/list.js";
import { type ListQuery, readQuery, tokenAfter } from "../../lib/list/query.js";
import type { Facts } from "../../lib/query/facts.js";
import type { Query } from "../../lib/query/tree.js";
import type { Kept } from "../../lib/watch/kept.js";
import type { Figure } from "../../proto/gen/zor/v1/figures.js";
import type { Unreachable } from "../../proto/gen/zor/v1/unreachable.js";
import type { Fleet } from "../fleet/fleet.js";
import type { Inventory } from "./inventory.js";
import { KeptItems } from "./kept-items.js";
import { OrderedLists } from "./ordered-lists.js";
import { Turns } from "./turns.js";

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

/** Finds resources without looking at all of them, and knows what queries ask for besides. */
export interface Finder {
  readonly facts: Facts & {
    /** Somebody asks for what is measured, until what is returned is called. */
    hold(caller: string, figures: ReadonlySet<Figure>): Promise<() => void>;
  };
  /** Undefined: everything has to be looked at. */
  find(wanted: {
    readonly kind: string;
    readonly parent: string;
    readonly query: Query;
    readonly caller: string;
  }): Promise<readonly Kept[] | undefined>;
}

/** Lists what the hub knows, without asking a host, and names the hosts of which it may be old. */
export class Lister {
  readonly #fleet: Pick<Fleet, "unreachable">;
  readonly #inventory: Inventory;
  readonly #ordered: OrderedLists;
  readonly #finder: Finder | undefined;

  /** @param options.finder default: a filter looks at everything, and nothing is measured. */
  constructor(
    fleet: Pick<Fleet, "unreachable">,
    inventory: Inventory,
    { turns = new Turns(), finder }: { readonly turns?: Turns; readonly finder?: Finder } = {},
  ) {
    this.#fleet = fleet;
    this.#inventory = inventory;
    this.#ordered = new OrderedLists(mostBytes, turns);
    this.#finder = finder;
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
   * A page of the inventory. By name it costs what is on it; another order looks at everything once, with the first page, and so does a filter, unless
   * it says of host, state, kind or a label what it is.
   * @throws {ZorError} NOT_FOUND for an unknown host, INVALID_ARGUMENT for a bad page, filter or order.
   */
  async kept(list: KeptList): Promise<FleetPage<KeptItems>> {
    const { kind, request, defaultOrder = "name" } = list;
    const facts = this.#finder?.facts;
    const query = readQuery(request, kindNamed(kind).type, { defaultOrder, facts });
    const figures = new Set([...query.filter.figures, ...query.order.figures]);
    const release = figures.size > 0 ? await facts?.hold(list.caller, figures) : undefined;
    try {
      return await this.#page(list, query);
    } finally {
      release?.();
    }
  }

  async #page({ kind, host, request, caller }: KeptList, query: ListQuery): Promise<FleetPage<KeptItems>> {
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
    const finder = this.#finder;
    // Of events the oldest are forgotten without a word.
    const isFound = finder !== undefined && request.filter.trim() !== "" && kind !== "event";
    const find = isFound ? () => finder.find({ kind, parent, query: query.filter.query, caller }) : undefined;
    const { items, last, list, total } = await this.#ordered.page({ kind, index, parent, query, caller }, find);
    const nextPageToken = last === undefined ? "" : tokenAfter(query, last, list);
    return { items: new KeptItems(items), nextPageToken, totalSize: total, unreachable };
  }
}
