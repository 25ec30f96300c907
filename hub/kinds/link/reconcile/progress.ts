import type { Pairing } from "./plan-input.js";
import { noRoles, observeRoles, type RoleInput, type RoleMemory, type Side, swapRoles } from "./roles.js";

interface LinkProgress {
  pairing: (Pairing & { readonly given: Set<string> }) | undefined;
  tickets: number;
  roles: RoleMemory;
  /** "{uid} {host}": ends that are confirmed to be gone. */
  readonly gone: Set<string>;
}

const minRetryMs = 5000;
const maxRetryMs = 60_000;

/** What the reconciler remembers of its own steps. Lost with the hub; the next plan finds out again. */
export class Progress {
  /** What was last asked of an end, by endKey. */
  readonly applied = new Map<string, string>();
  readonly #links = new Map<string, LinkProgress>();
  readonly #now: () => number;

  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  /** Begins a pairing with a new ticket; each further one for the same link waits longer. */
  newPairing(link: string, ticket: Buffer, ttlMs: number): void {
    const progress = this.#of(link);
    const waitMs = Math.min(maxRetryMs, minRetryMs * 2 ** Math.min(progress.tickets, 10));
    progress.tickets += 1;
    const now = this.#now();
    progress.pairing = { ticket, expiresMs: now + ttlMs, retryMs: now + waitMs, given: new Set() };
  }

  /** A host has been given the ticket of the pairing under way. */
  given(link: string, host: string): void {
    this.#of(link).pairing?.given.add(host);
  }

  /** Both ends are paired: the next time they need a ticket they get one at once. */
  paired(link: string): void {
    const progress = this.#links.get(link);
    if (progress === undefined) return;
    progress.pairing = undefined;
    progress.tickets = 0;
  }

  /** A host has confirmed that it has no end of the link with this uid. */
  gone(link: string, uid: string, host: string): void {
    this.#of(link).gone.add(`${uid} ${host}`);
  }

  /** What is remembered of the roles of a link's ends. */
  rolesOf(link: string): RoleMemory {
    return this.#links.get(link)?.roles ?? noRoles;
  }

  /** Takes a look at the ends of a link into account. */
  observe(link: string, input: RoleInput): RoleMemory {
    const progress = this.#of(link);
    progress.roles = observeRoles(input, this.#now());
    return progress.roles;
  }

  /** The other end listens from now on. A ticket under way was for the old roles. */
  swapRoles(link: string, listener: Side): void {
    const progress = this.#of(link);
    progress.roles = swapRoles(listener, progress.roles, this.#now());
    progress.pairing = undefined;
  }

  pairingOf(link: string): Pairing | undefined {
    return this.#links.get(link)?.pairing;
  }

  /** Hosts that have confirmed that they have no end of this link. */
  goneFrom(link: string, uid: string): ReadonlySet<string> {
    const prefix = `${uid} `;
    const gone = [...(this.#links.get(link)?.gone ?? [])].filter((key) => key.startsWith(prefix));
    return new Set(gone.map((key) => key.slice(prefix.length)));
  }

  forget(link: string): void {
    this.#links.delete(link);
    for (const key of [...this.applied.keys()]) if (key.endsWith(` ${link}`)) this.applied.delete(key);
  }

  #of(link: string): LinkProgress {
    const progress = this.#links.get(link) ?? { pairing: undefined, tickets: 0, roles: noRoles, gone: new Set() };
    this.#links.set(link, progress);
    return progress;
  }
}
