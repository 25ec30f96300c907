import { setTimeout as delay } from "node:timers/promises";

/** Repeats a check until it passes or the time is over; fails with the check's last error. */
export async function eventually<T>(check: () => Promise<T> | T, timeoutMs = 45_000): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (performance.now() >= deadline) throw error;
      await delay(50);
    }
  }
}
