/** What people should know of a host although it works. */
export class Remarks {
  readonly #remarks = new Map<string, string>();

  /** Says something, in place of what was said about the same before; empty: not any more. */
  set(about: string, text: string): void {
    if (text === "") this.#remarks.delete(about);
    else this.#remarks.set(about, text);
  }

  /** All that is said now. */
  all(): readonly string[] {
    return [...this.#remarks.values()];
  }
}
