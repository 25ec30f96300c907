/** State of the connection to a hub. */
export interface HubConnection {
  /** "refused" is final: asking again cannot help. */
  readonly phase: "connecting" | "live" | "lost" | "refused";
  readonly sinceMs: number;
  /** Why it was lost or refused, for people. */
  readonly reason: string;
  /** When the next attempt is made; undefined when one is under way. */
  readonly retryAtMs: number | undefined;
}

/** From what all hope for to what none wants. */
const phases = ["live", "connecting", "lost", "refused"] as const;

/** How several hubs in one view are doing. */
export class Hubs {
  readonly #all = new Map<string, HubConnection>();

  get all(): ReadonlyMap<string, HubConnection> {
    return this.#all;
  }

  set(hub: string, connection: HubConnection): void {
    this.#all.set(hub, connection);
  }

  forget(): void {
    this.#all.clear();
  }

  /** Whether what is known of it may be old. One that nothing was said of is not. */
  isAway(hub: string): boolean {
    const phase = this.#all.get(hub)?.phase;
    return phase === "lost" || phase === "refused";
  }

  /** The connection of that which is doing best; undefined: there are none. */
  best(): HubConnection | undefined {
    const rank = ({ phase }: HubConnection): number => phases.indexOf(phase);
    return [...this.#all.values()].sort((left, right) => rank(left) - rank(right))[0];
  }
}
