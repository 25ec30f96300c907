import { status } from "@grpc/grpc-js";
import { ZorError } from "../errors.js";

/**
 * The messages of a caller who must not fall silent: what is held for one who does would be held for ever. Only the time counts in which a
 * message is waited for. @throws {ZorError} DEADLINE_EXCEEDED
 */
export async function* spoken<T>(messages: AsyncIterable<T>, silentMs: number): AsyncGenerator<T> {
  const iterator = messages[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await within(iterator.next(), silentMs);
      if (next.done === true) return;
      yield next.value;
    }
  } finally {
    // One that is waited for still holds nobody up.
    iterator.return?.()?.catch(() => undefined);
  }
}

async function within<T>(next: Promise<T>, silentMs: number): Promise<T> {
  const { promise: silent, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    const message = `nothing was sent for ${Math.round(silentMs / 1000)} s, and what is held meanwhile is wanted by others; begin again`;
    reject(new ZorError({ reason: "CALLER_SILENT", code: status.DEADLINE_EXCEEDED, message }));
  }, silentMs);
  try {
    return await Promise.race([next, silent]);
  } finally {
    clearTimeout(timer);
  }
}
