/** Numbers in the order of what they cost; of those that cost the same the one that was put in first. */
export class Heap {
  readonly #costs: number[] = [];
  readonly #values: number[] = [];
  readonly #turns: number[] = [];
  #turn = 0;

  get size(): number {
    return this.#values.length;
  }

  push(cost: number, value: number): void {
    let at = this.#values.length;
    this.#costs.push(cost);
    this.#values.push(value);
    this.#turns.push(this.#turn++);
    while (at > 0) {
      const up = (at - 1) >> 1;
      if (!this.#isBefore(at, up)) return;
      this.#swap(at, up);
      at = up;
    }
  }

  /** Takes the cheapest out; undefined when there is none. */
  pop(): number | undefined {
    const last = this.#values.length - 1;
    if (last < 0) return undefined;
    this.#swap(0, last);
    this.#costs.pop();
    this.#turns.pop();
    const value = this.#values.pop();
    let at = 0;
    for (;;) {
      const [left, right] = [at * 2 + 1, at * 2 + 2];
      let least = at;
      if (left < last && this.#isBefore(left, least)) least = left;
      if (right < last && this.#isBefore(right, least)) least = right;
      if (least === at) return value;
      this.#swap(at, least);
      at = least;
    }
  }

  #isBefore(left: number, right: number): boolean {
    const difference = (this.#costs[left] ?? 0) - (this.#costs[right] ?? 0);
    return difference < 0 || (difference === 0 && (this.#turns[left] ?? 0) < (this.#turns[right] ?? 0));
  }

  #swap(left: number, right: number): void {
    for (const list of [this.#costs, this.#values, this.#turns]) {
      const held = list[left] ?? 0;
      list[left] = list[right] ?? 0;
      list[right] = held;
    }
  }
}
