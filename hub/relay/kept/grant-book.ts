import type { RelayRole } from "../../../lib/relay-role.js";
import type { RelayGrant } from "../relay.js";
import type { LinkGrants } from "./messages.js";

/** Whom the hub has let in, as it was told last: what holds while there is no hub. */
export class GrantBook {
  readonly #links = new Map<string, readonly RelayGrant[]>();

  /** Links for which somebody is let in. */
  get size(): number {
    return this.#links.size;
  }

  of(linkUid: string): readonly RelayGrant[] {
    return this.#links.get(linkUid) ?? [];
  }

  take(links: LinkGrants, isAll: boolean): void {
    if (isAll) this.#links.clear();
    for (const [uid, grants] of Object.entries(links)) {
      if (grants === null) this.#links.delete(uid);
      else {
        const read = grants.map(({ host, tickets }) => {
          const bytes = {
            listener: Buffer.from(tickets.listener, "base64"),
            dialer: Buffer.from(tickets.dialer, "base64"),
          };
          return { host, ticketOf: (role: RelayRole) => bytes[role] };
        });
        this.#links.set(uid, read);
      }
    }
  }
}
