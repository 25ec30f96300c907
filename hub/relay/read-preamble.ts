import type { Socket } from "node:net";
import { decodeRelayPreamble, type ReceivedPreamble, relayPreambleBytes } from "../../lib/relay-preamble.js";

/**
 * Reads the preamble of a new connection, which has `timeoutMs` for all of it. Undefined when it is none, when it came too slowly
 * or when more follows it at once. The socket's errors must be handled by the caller; it is left flowing.
 */
export function readPreamble(socket: Socket, timeoutMs: number): Promise<ReceivedPreamble | undefined> {
  const { promise, resolve } = Promise.withResolvers<ReceivedPreamble | undefined>();
  let received = Buffer.alloc(0);
  const onData = (chunk: Buffer): void => {
    received = Buffer.concat([received, chunk]);
    if (received.length >= relayPreambleBytes) resolve(decodeRelayPreamble(received));
  };
  const onEnd = (): void => resolve(undefined);
  const timer = setTimeout(onEnd, timeoutMs);
  socket.on("data", onData);
  socket.on("end", onEnd);
  socket.on("close", onEnd);
  return promise.finally(() => {
    clearTimeout(timer);
    socket.off("data", onData);
    socket.off("end", onEnd);
    socket.off("close", onEnd);
  });
}
