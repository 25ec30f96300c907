/** Something that is there once its maker has made it: what comes later in a list may use what came before. */
export class Late<T> {
  readonly #what: string;
  #value: T | undefined;

  /** @param what for the fault of using it too early. */
  constructor(what: string) {
    this.#what = what;
  }

  set(value: T): void {
    this.#value = value;
  }

  get(): T {
    if (this.#value === undefined) throw new Error(`${this.#what}: not there yet`);
    return this.#value;
  }
}
