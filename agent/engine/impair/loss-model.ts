/**
 * Decides which frames are lost. With bursts it is Gilbert's model: all frames of the bad state are lost, none of the good one, and
 * the chances of a change are such that both the part lost and the mean length of a burst are as asked. A part that is too large for
 * bursts so short makes them longer: the part is always kept.
 */
export class LossModel {
  #ratio = 0;
  #bursts = false;
  #enter = 0;
  #leave = 0;
  #bad = false;

  /** @param chance uniform in [0, 1): decides the state to begin in. */
  set(options: { readonly ratio: number; readonly burstFrames: number }, chance: number): void {
    const { ratio, burstFrames } = options;
    this.#ratio = ratio;
    this.#bursts = burstFrames > 1 && ratio > 0 && ratio < 1;
    this.#bad = chance < ratio;
    if (!this.#bursts) return;
    this.#leave = Math.min(1 / burstFrames, (1 - ratio) / ratio);
    this.#enter = (this.#leave * ratio) / (1 - ratio);
  }

  /** Whether the next frame is lost. @param chance uniform in [0, 1) */
  loses(chance: number): boolean {
    if (!this.#bursts) return chance < this.#ratio;
    this.#bad = this.#bad ? chance >= this.#leave : chance < this.#enter;
    return this.#bad;
  }
}
