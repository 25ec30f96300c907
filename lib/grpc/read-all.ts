/** An object-mode readable stream, as grpc-js gives for incoming messages. */
export interface ObjectReader {
  on(event: "data" | "end" | "error" | "close", listener: (value: unknown) => void): unknown;
  pause(): unknown;
  resume(): unknown;
}

/**
 * Incoming messages as an async iterable. Holds at most one message beyond the one being handled: the sender is held back by
 * HTTP/2 flow control. An error of the stream is thrown at the reader after the messages that came before it.
 */
export function readAll(reader: ObjectReader): AsyncIterable<unknown> {
  const pending: unknown[] = [];
  let ended = false;
  let failure: { readonly error: unknown } | undefined;
  let wake: (() => void) | undefined;
  const notify = (): void => {
    wake?.();
    wake = undefined;
  };
  reader.on("data", (value) => {
    pending.push(value);
    reader.pause();
    notify();
  });
  reader.on("end", () => {
    ended = true;
    notify();
  });
  reader.on("close", () => {
    ended = true;
    notify();
  });
  reader.on("error", (error) => {
    failure = { error };
    notify();
  });
  return {
    async *[Symbol.asyncIterator]() {
      for (;;) {
        if (pending.length > 0) {
          yield pending.shift();
          if (pending.length === 0) reader.resume();
          continue;
        }
        if (failure !== undefined) throw failure.error;
        if (ended) return;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
  };
}
