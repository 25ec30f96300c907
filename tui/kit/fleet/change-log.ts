/** Changes remembered for readers that look now and then; one that fell further behind reads everything again. */
const length = 8192;

/** What a reader has to look at again. */
export type Changes =
  | { readonly everything: true; readonly version: number }
  | {
      readonly everything: false;
      readonly version: number;
      /** Of rows that are new, different or gone, each once. What is gone left its slot, to which another may have come. */
      readonly slots: readonly number[];
      /** Ids of the hosts that those are or were on; "" for the hub. */
      readonly hosts: ReadonlySet<string>;
    };

/** Which slots changed last, in bounded space. */
export class ChangeLog {
  #version = 0;
  /** By slot, the version that its last change made; 0: it never changed. */
  #changed = new Float64Array();
  readonly #slots: number[] = [];
  readonly #hosts: string[] = [];

  /** Grows with every change. */
  get version(): number {
    return this.#version;
  }

  note(slot: number, host: string): void {
    const place = this.#version % length;
    this.#slots[place] = slot;
    this.#hosts[place] = host;
    this.#version += 1;
    if (slot >= this.#changed.length) {
      const changed = new Float64Array(Math.max(256, 2 * (slot + 1)));
      changed.set(this.#changed);
      this.#changed = changed;
    }
    this.#changed[slot] = this.#version;
  }

  /**
   * Slots of rows that are new, different or gone after a version, each once, however long ago that was: for readers who need no more than that,
   * and who would never be done if they began anew whenever they fell behind.
   */
  slotsSince(version: number): readonly number[] {
    const changes = this.since(version);
    if (!changes.everything) return changes.slots;
    const slots: number[] = [];
    for (let slot = 0; slot < this.#changed.length; slot += 1) {
      if ((this.#changed[slot] ?? 0) > version) slots.push(slot);
    }
    return slots;
  }

  /** What changed after the version that a reader saw last. */
  since(version: number): Changes {
    const behind = this.#version - version;
    if (behind > length || version < 0) return { everything: true, version: this.#version };
    const slots = new Set<number>();
    const hosts = new Set<string>();
    for (let at = version; at < this.#version; at += 1) {
      slots.add(this.#slots[at % length] ?? 0);
      hosts.add(this.#hosts[at % length] ?? "");
    }
    return { everything: false, version: this.#version, slots: [...slots], hosts };
  }
}
