/** Nonces remembered of one end: a captured preamble is worth nothing before its end has connected so many times again. */
const noncesPerEnd = 1024;
/** Ends of which nonces are remembered; of the one that was longest silent they are forgotten first. */
const maxEnds = 20_000;

/**
 * Remembers nonces, so that a preamble works once. Bounded: what a preamble that is older than the memory opens is a connection
 * whose TLS handshake then fails, for want of the end's key.
 */
export class NonceMemory {
  readonly #byEnd = new Map<string, Set<string>>();

  /** Takes the nonce of an end that has proven itself. False when it was used before. */
  use(end: string, nonce: Buffer): boolean {
    const seen = this.#byEnd.get(end) ?? new Set<string>();
    const key = nonce.toString("base64");
    if (seen.has(key)) return false;
    seen.add(key);
    if (seen.size > noncesPerEnd) dropOldest(seen);
    // Moved to the end: the map is ordered by last use.
    this.#byEnd.delete(end);
    this.#byEnd.set(end, seen);
    if (this.#byEnd.size > maxEnds) dropOldest(this.#byEnd);
    return true;
  }
}

function dropOldest(collection: Set<string> | Map<string, unknown>): void {
  const [oldest] = collection.keys();
  if (oldest !== undefined) collection.delete(oldest);
}
