/** That a port ceased to do what its settings say, or does it again. */
export interface PortChange {
  /** Id of the lan. */
  readonly lan: string;
  /** Resource name of the endpoint. */
  readonly endpoint: string;
  /** What is wrong, for people; empty: it is put right. */
  readonly fault: string;
  /** The port does what its settings say; the endpoint does what they forbid. */
  readonly isViolation?: boolean;
}

/** Which port. */
interface FaultyPort {
  readonly port: string;
  readonly lan: string;
  readonly endpoint: string;
}

/** What of the settings of ports does not hold, and who is told of it. */
export class PortFaults {
  readonly #faults = new Map<string, PortChange>();
  readonly #listeners = new Set<(change: PortChange) => void>();

  /** Why a port does not do what its settings say; empty when it does. */
  of(port: string): string {
    return this.#faults.get(port)?.fault ?? "";
  }

  /** It does not do what its settings say. Told once for each that is wrong. */
  lost({ port, lan, endpoint }: FaultyPort, fault: string): void {
    if (this.of(port) === fault) return;
    const change = { lan, endpoint, fault };
    this.#faults.set(port, change);
    this.#tellAll(change);
  }

  /** It does. Told once. */
  held(port: string): void {
    const change = this.#faults.get(port);
    if (change === undefined) return;
    this.#faults.delete(port);
    this.#tellAll({ ...change, fault: "" });
  }

  /** Either of both; of a port that is not plugged in nothing is told. @param fault empty: it does what its settings say */
  tell(port: FaultyPort | undefined, fault: string): void {
    if (port === undefined) return;
    if (fault === "") this.held(port.port);
    else this.lost(port, fault);
  }

  /** It is plugged in no more: nobody is told. */
  forget(port: string): void {
    this.#faults.delete(port);
  }

  /** Calls back with each change. Returns the way to stop. */
  onChange(listener: (change: PortChange) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Tells of something that is no fault of the port. */
  notice(change: PortChange): void {
    this.#tellAll(change);
  }

  #tellAll(change: PortChange): void {
    for (const listener of this.#listeners) listener(change);
  }
}
