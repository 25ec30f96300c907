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
