import type { Socket } from "node:net";

/** How a pair is spliced. */
export interface SpliceOptions {
  /** Told of bytes that were passed on, either way. */
  readonly onBytes: (bytes: number) => void;
  /** Told once, when both sockets are closed or about to be. */
  readonly onClosed: () => void;
  /** Without a byte either way for so long the pair is closed: a live cable probes every second. */
  readonly idleMs: number;
  /** How long the second half may go on when the first has ended. */
  readonly lingerMs: number;
}

/**
 * Passes bytes between two sockets, both ways, until both have ended or one breaks. Neither is read faster than the other takes
 * it: what waits in the hub is at most a chunk beyond each socket's high-water mark. Returns how to end it at once.
 */
export function splicePair(left: Socket, right: Socket, options: SpliceOptions): () => void {
  let closed = false;
  let linger: NodeJS.Timeout | undefined;
  const close = (): void => {
    if (closed) return;
    closed = true;
    clearTimeout(linger);
    left.destroy();
    right.destroy();
    options.onClosed();
  };
  const pass = (from: Socket, to: Socket): void => {
    from.on("data", (chunk: Buffer) => {
      options.onBytes(chunk.length);
      if (!to.write(chunk)) from.pause();
    });
    to.on("drain", () => from.resume());
    from.on("end", () => {
      to.end();
      linger ??= setTimeout(close, options.lingerMs);
    });
    from.on("error", close);
    from.on("close", () => {
      // After both halves have ended, what the other socket still has to send goes out first.
      if (from.readableEnded && !to.destroyed) to.once("close", close);
      else close();
    });
    from.setTimeout(options.idleMs, close);
    from.resume();
  };
  pass(left, right);
  pass(right, left);
  return close;
}
