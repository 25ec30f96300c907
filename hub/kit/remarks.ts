/** What the hub has to say of resources beside what their hosts say of them, by name; empty for most. */
export class Remarks {
  #texts: ReadonlyMap<string, string> = new Map();
  readonly #listeners: ((names: readonly string[]) => void)[] = [];

  /** What there is to say of a resource; "" when there is nothing. */
  of(name: string): string {
    return this.#texts.get(name) ?? "";
  }

  /** What there is to say of all resources, instead of what it was before. */
  replace(texts: ReadonlyMap<string, string>): void {
    const before = this.#texts;
    this.#texts = texts;
    const changed = [...new Set([...before.keys(), ...texts.keys()])].filter(
      (name) => before.get(name) !== texts.get(name),
    );
    if (changed.length === 0) return;
    for (const listener of this.#listeners) listener(changed);
  }

  /** Calls back with the names of which something else is to be said. */
  onChange(listener: (names: readonly string[]) => void): void {
    this.#listeners.push(listener);
  }
}
