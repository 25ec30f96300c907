import { once } from "node:events";
import type { ReadStream } from "node:tty";

/** Resolves when a key was pressed, or the signal aborts; leaves the terminal as it was. */
export async function anyKey(
  input: Pick<ReadStream, "isRaw" | "setRawMode" | "resume" | "pause" | "once" | "off">,
  signal: AbortSignal,
): Promise<void> {
  const wasRaw = input.isRaw;
  input.setRawMode(true);
  input.resume();
  try {
    // Streams are emitters; of one only these methods are used here.
    await once(input as ReadStream, "data", { signal });
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    input.pause();
    input.setRawMode(wasRaw);
  }
}
