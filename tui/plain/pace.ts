/** Lines a second that come by themselves, and how many wait at most. */
const [perSecond, mostWaiting] = [3, 12];

/** News at a pace that can be listened to: what is too much is counted. */
export class Pace {
  readonly #waiting: string[] = [];
  readonly #said: number[] = [];
  #left = 0;

  add(lines: readonly string[]): void {
    for (const line of lines) {
      if (this.#waiting.length < mostWaiting) this.#waiting.push(line);
      else this.#left += 1;
    }
  }

  /** What may be said now. */
  take(nowMs: number): readonly string[] {
    while ((this.#said[0] ?? nowMs) <= nowMs - 1000) this.#said.shift();
    const lines = this.#waiting.splice(0, perSecond - this.#said.length);
    if (this.#waiting.length === 0 && this.#left > 0 && lines.length < perSecond - this.#said.length) {
      lines.push(`and ${this.#left} more changes; list says how it is now`);
      this.#left = 0;
    }
    for (const _ of lines) this.#said.push(nowMs);
    return lines;
  }

  /** Forgets what waits. */
  clear(): void {
    this.#waiting.length = 0;
    this.#left = 0;
  }
}
