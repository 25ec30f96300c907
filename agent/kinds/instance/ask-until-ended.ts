import { timeLimit } from "../../../lib/time-limit.js";

/** Milliseconds until a guest is asked again: the first time, and at most. */
const [firstPauseMs, longestPauseMs] = [1000, 2000];

/** How something is asked to end. */
export interface Asking {
  /** Asks for the `attempt`th time, counted from 0. */
  readonly ask: (attempt: number) => Promise<unknown>;
  /** Resolves to whether it has ended, as soon as it has or the signal aborts. */
  readonly waitForEnd: (signal: AbortSignal) => Promise<boolean>;
  /** Ends the asking. */
  readonly signal: AbortSignal;
}

/**
 * Asks again and again until what is asked has ended; resolves to whether it has, and how often it was asked. One that is still starting hears
 * nothing yet, and a power button that is pressed then is forgotten.
 * @throws what the first asking throws; later ones may fail because it is just ending.
 */
export async function askUntilEnded({ ask, waitForEnd, signal }: Asking): Promise<{ ended: boolean; asked: number }> {
  await ask(0);
  for (let asked = 1, pauseMs = firstPauseMs; ; asked += 1, pauseMs = Math.min(pauseMs * 1.5, longestPauseMs)) {
    if (await waitForEnd(AbortSignal.any([signal, timeLimit(pauseMs)]))) return { ended: true, asked };
    if (signal.aborted) return { ended: false, asked };
    await ask(asked).catch(() => undefined);
  }
}
