/** Samples looked back; taken once a second, they cover two seconds. */
const samplesBack = 3;

/** Throughput of the last seconds, from counters that only grow. */
export class RateMeter {
  #samples: { readonly atMs: number; readonly txBytes: number; readonly rxBytes: number }[] = [];

  /** Records the counters at a time of any steady clock. Counters that went back, because they began anew, start over. */
  sample(atMs: number, counters: { readonly txBytes: number; readonly rxBytes: number }): void {
    const { txBytes, rxBytes } = counters;
    const last = this.#samples.at(-1);
    if (last !== undefined && (txBytes < last.txBytes || rxBytes < last.rxBytes)) this.#samples = [];
    this.#samples = [...this.#samples, { atMs, txBytes, rxBytes }].slice(-samplesBack);
  }

  /** Bits per second each way; 0 before there are two samples. */
  read(): { readonly txBps: number; readonly rxBps: number } {
    const first = this.#samples[0];
    const last = this.#samples.at(-1);
    const seconds = ((last?.atMs ?? 0) - (first?.atMs ?? 0)) / 1000;
    if (first === undefined || last === undefined || seconds <= 0) return { txBps: 0, rxBps: 0 };
    return {
      txBps: Math.round(((last.txBytes - first.txBytes) * 8) / seconds),
      rxBps: Math.round(((last.rxBytes - first.rxBytes) * 8) / seconds),
    };
  }
}
