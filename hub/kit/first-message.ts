/** A stream whose first message has been read. */
export interface Opened<T> {
  readonly first: T | undefined;
  /** The whole stream, the first message included. */
  readonly all: AsyncIterable<T>;
}

/** Reads the first message of a stream, which says where the stream goes. */
export async function readFirst<T>(messages: AsyncIterable<T>): Promise<Opened<T>> {
  const iterator = messages[Symbol.asyncIterator]();
  const step = await iterator.next();
  if (step.done === true) return { first: undefined, all: messages };
  return {
    first: step.value,
    all: {
      async *[Symbol.asyncIterator]() {
        yield step.value;
        yield* { [Symbol.asyncIterator]: () => iterator };
      },
    },
  };
}
