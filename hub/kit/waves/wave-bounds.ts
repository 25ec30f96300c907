import { resourceExhausted } from "../../../lib/errors.js";
import { counted } from "../../../lib/words.js";

/** Waves that run at the same time: of one caller, and of all. */
const [mostOfCaller, mostOfAll] = [10, 50];
/** Calls that all waves of a caller together have under way at the same time. */
const mostCalls = 128;

interface Lanes {
  taken: number;
  readonly waiting: (() => void)[];
}

/** Keeps waves from taking all of the hub: how many there may be, and how many calls those of a caller have under way. */
export class WaveBounds {
  readonly #beginning = new Map<string, number>();
  readonly #lanes = new Map<string, Lanes>();

  /** Room for one more wave of a caller, until it is disposed. @param running the callers of those that run. @throws {ZorError} RESOURCE_EXHAUSTED */
  admit(caller: string, running: readonly string[]): Disposable {
    const all = [...this.#beginning.values()].reduce((sum, count) => sum + count, running.length);
    const mine = (this.#beginning.get(caller) ?? 0) + running.filter((each) => each === caller).length;
    if (mine >= mostOfCaller || all >= mostOfAll) {
      const whose = mine >= mostOfCaller ? ` of ${caller} run` : " run";
      const count = counted(mine >= mostOfCaller ? mine : all, "wave");
      throw resourceExhausted(
        "TOO_MANY_WAVES",
        `${count}${whose} already; cancel one, or begin again when one has ended`,
      );
    }
    this.#count(caller, 1);
    return { [Symbol.dispose]: () => this.#count(caller, -1) };
  }

  /** Makes a call when there is room for one more of its caller, in the order in which that is asked for. */
  async call<T>(caller: string, make: () => Promise<T>): Promise<T> {
    const lanes = this.#lanes.get(caller) ?? { taken: 0, waiting: [] };
    this.#lanes.set(caller, lanes);
    if (lanes.taken >= mostCalls) await new Promise<void>((resolve) => lanes.waiting.push(resolve));
    else lanes.taken += 1;
    try {
      return await make();
    } finally {
      const next = lanes.waiting.shift();
      // Whoever waits takes the place.
      if (next === undefined) lanes.taken -= 1;
      else next();
      if (lanes.taken === 0) this.#lanes.delete(caller);
    }
  }

  #count(caller: string, by: number): void {
    const count = (this.#beginning.get(caller) ?? 0) + by;
    if (count === 0) this.#beginning.delete(caller);
    else this.#beginning.set(caller, count);
  }
}
