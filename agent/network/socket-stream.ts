import { once } from "node:events";
import type { Socket } from "node:net";

/** What a connection gives: "opened" first, "end" when the server sends no more. */
export type FromServer =
  | { readonly type: "opened" }
  | { readonly type: "data"; readonly data: Uint8Array }
  | { readonly type: "end" };

/**
 * Carries a connected socket's bytes both ways. Either side may end alone; neither is read faster than the other takes it. Whoever stops
 * reading closes the socket.
 */
export async function* socketStream(
  socket: Socket,
  input: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): AsyncGenerator<FromServer> {
  const close = (): void => void socket.destroy();
  signal.addEventListener("abort", close, { once: true });
  socket.on("error", close);
  try {
    signal.throwIfAborted();
    yield { type: "opened" };
    const sending = send(socket, input);
    sending.catch(close);
    for await (const data of socket.iterator({ destroyOnReturn: false })) yield { type: "data", data };
    yield { type: "end" };
    await sending;
  } finally {
    signal.removeEventListener("abort", close);
    socket.destroy();
  }
}

async function send(socket: Socket, input: AsyncIterable<Uint8Array>): Promise<void> {
  const closed = once(socket, "close").catch(() => undefined);
  for await (const data of input) {
    if (socket.destroyed || !socket.writable) return;
    if (!socket.write(data)) await Promise.race([once(socket, "drain").catch(() => undefined), closed]);
  }
  socket.end();
}
