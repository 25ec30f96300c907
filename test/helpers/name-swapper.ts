import { Worker } from "node:worker_threads";

/** Exchanges two names as fast as the kernel can, in a thread of its own, until it is disposed of. */
export class NameSwapper implements AsyncDisposable {
  readonly #worker: Worker;
  readonly #stop = new Int32Array(new SharedArrayBuffer(8));

  private constructor(one: string, other: string) {
    this.#worker = new Worker(
      `const koffi = require("koffi");
       const { workerData } = require("node:worker_threads");
       const renameat2 = koffi.load("libc.so.6").func("int renameat2(int a, const char *from, int b, const char *to, uint flags)");
       const [exchange, here] = [2, -100];
       while (Atomics.load(workerData.state, 0) === 0) {
         if (renameat2(here, workerData.one, here, workerData.other, exchange) !== 0) throw new Error("renameat2: " + koffi.errno());
         Atomics.add(workerData.state, 1, 1);
       }`,
      { eval: true, workerData: { one, other, state: this.#stop } },
    );
  }

  /** Resolves when it has begun. */
  static async start(one: string, other: string): Promise<NameSwapper> {
    const swapper = new NameSwapper(one, other);
    while (swapper.swaps < 10) await new Promise((resolve) => setImmediate(resolve));
    return swapper;
  }

  /** How often the names were exchanged so far. */
  get swaps(): number {
    return Atomics.load(this.#stop, 1);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    Atomics.store(this.#stop, 0, 1);
    await new Promise((resolve) => this.#worker.once("exit", resolve));
  }
}
