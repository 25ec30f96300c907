import { type ListPage, type ListRequest, listPage } from "../../lib/list/list.js";
import type { Unreachable } from "../../proto/gen/zor/v1/unreachable.js";
import type { Fleet } from "../fleet/fleet.js";
import { findUnreachable } from "../fleet/host-record.js";

/** A page with what is missing from it. */
export interface FleetPage<T> extends ListPage<T> {
  readonly unreachable: Unreachable[];
}

/** How items of a kind are listed. */
export interface ListKind {
  /** Full name of the items' message, "zor.v1.Instance". */
  readonly type: string;
  readonly defaultOrder?: string;
}

/** Lists what the hub knows, without asking a host, and names the hosts of which it may be old. */
export class Lister {
  readonly #fleet: Fleet;

  constructor(fleet: Fleet) {
    this.#fleet = fleet;
  }

  /**
   * A page of the items of one host, or of all with host "-".
   * @throws {ZorError} NOT_FOUND for an unknown host, INVALID_ARGUMENT for a bad page, filter or order.
   */
  page<T extends { readonly name: string }>(
    items: readonly T[],
    host: string,
    request: ListRequest,
    kind: ListKind,
  ): FleetPage<T> {
    const now = new Date();
    const hosts = host === "-" ? this.#fleet.list(now) : [this.#fleet.get(host, now)];
    const wanted = host === "-" ? items : items.filter(({ name }) => name.startsWith(`hosts/${host}/`));
    return {
      ...listPage(wanted, request, kind.type, kind.defaultOrder),
      unreachable: hosts.map((each) => findUnreachable(each, now)).filter((each) => each !== undefined),
    };
  }
}
