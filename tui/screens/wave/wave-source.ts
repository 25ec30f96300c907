import type { Wave, WaveItem } from "../../../proto/gen/zor/v1/wave.js";

/** Who looks at a wave. */
export interface WaveLook {
  readonly signal: AbortSignal;
  /** Told the whole wave, and what of it has changed. */
  readonly onNews: (wave: Wave, changed: readonly WaveItem[]) => void;
  /** Told when the hub is lost, which is tried again. */
  readonly onTrouble: (text: string) => void;
}

/** Waves of the hub, as they go. */
export interface WaveSource {
  /** Follows one to its end, over every loss of the connection, or until the signal aborts. @throws {ZorError} when it cannot be watched. */
  watch(name: string, look: WaveLook): Promise<void>;
  /** Has it begin no other until it is resumed. @throws {ZorError} */
  pause(name: string, signal: AbortSignal): Promise<void>;
  /** Has it go on. @throws {ZorError} */
  resume(name: string, signal: AbortSignal): Promise<void>;
  /** Begins another one for what it left; resolves to the name of its operation, undefined when nothing was left. @throws {ZorError} */
  again(wave: Wave, signal: AbortSignal): Promise<string | undefined>;
}
