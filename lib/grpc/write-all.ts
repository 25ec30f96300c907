import { once } from "node:events";

/** The part of a stream that takes objects. */
export interface ObjectWriter {
  write(value: unknown): boolean;
  on(event: string, listener: (...values: unknown[]) => void): unknown;
  off(event: string, listener: (...values: unknown[]) => void): unknown;
}

/** Writes everything an iterable gives, waiting whenever the peer does not keep up. Stops, without error, when the signal aborts. */
export async function writeAll(
  writer: ObjectWriter,
  values: AsyncIterable<unknown>,
  signal: AbortSignal,
): Promise<void> {
  const iterator = values[Symbol.asyncIterator]();
  const aborted = new Promise<"aborted">((resolve) => {
    if (signal.aborted) resolve("aborted");
    else signal.addEventListener("abort", () => resolve("aborted"), { once: true });
  });
  try {
    for (;;) {
      const step = await Promise.race([iterator.next(), aborted]);
      if (step === "aborted" || step.done === true) return;
      if (writer.write(step.value)) continue;
      // AbortSignal makes once() reject; an aborted stream is not an error here.
      await once(writer as unknown as NodeJS.EventEmitter, "drain", { signal }).catch(() => undefined);
      if (signal.aborted) return;
    }
  } finally {
    // A generator that is waiting ends by itself when the signal aborts; it must not hold up the call.
    iterator.return?.()?.catch(() => undefined);
  }
}
