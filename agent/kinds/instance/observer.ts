import { pause } from "../../../lib/backoff.js";
import type { InstanceDriver } from "../../drivers/driver.js";
import type { InstanceManager } from "./manager.js";

/** How an observer does its work. */
export interface ObserverOptions {
  readonly manager: Pick<InstanceManager, "observeAll" | "observeOne" | "tell">;
  readonly drivers: readonly InstanceDriver[];
  /** Milliseconds between observations of everything. */
  readonly intervalMs: number;
  readonly logError: (error: unknown, message: string) => void;
}

/** Events that people are told of as they are. */
const toldTypes: ReadonlySet<string> = new Set(["image-changed", "watchdog", "hardware-lost"]);

/** Keeps the observed state true: after every event of a driver and, whatever the events say, at an interval. Ends with the signal. */
export async function observeForever(options: ObserverOptions, signal: AbortSignal): Promise<void> {
  await Promise.all([
    observePeriodically(options, signal),
    ...options.drivers.map((driver) => followEvents(driver, options, signal)),
  ]);
}

async function observePeriodically(options: ObserverOptions, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await pause(options.intervalMs, signal);
    if (signal.aborted) return;
    await options.manager.observeAll(signal).catch((error: unknown) => {
      if (!signal.aborted) options.logError(error, "observing the instances failed");
    });
  }
}

async function followEvents(driver: InstanceDriver, options: ObserverOptions, signal: AbortSignal): Promise<void> {
  try {
    for await (const event of driver.events(signal)) {
      if (toldTypes.has(event.type)) options.manager.tell(event.uid, event);
      // Not awaited: one slow instance must not hold back the events of the others. Errors are told, never lost.
      options.manager.observeOne(event.uid, signal).catch((error: unknown) => {
        if (!signal.aborted) options.logError(error, `observing after an event of driver ${driver.kind} failed`);
      });
    }
  } catch (error) {
    if (!signal.aborted)
      options.logError(
        error,
        `the events of driver ${driver.kind} ended; its instances are still observed at an interval`,
      );
  }
}
