import { once } from "node:events";
import { Socket, type SocketConstructorOpts } from "node:net";
import { failedPrecondition } from "../../lib/errors.js";
import { timeLimit } from "../../lib/time-limit.js";
import type { CallOptions } from "./instance-networks.js";
import { type FromServer, socketStream } from "./socket-stream.js";

/** Where a server listens. */
interface GuestServer {
  /** IP address as seen from where it is connected from. */
  readonly address: string;
  readonly port: number;
}

/** A server, and what it is sent. */
export type Dialled = GuestServer & { readonly input: AsyncIterable<Uint8Array> };

const connectMs = 10_000;

/**
 * Connects a TCP socket that was made in some net namespace, and carries bytes both ways until both sides have ended, no faster than the
 * slower takes them. The socket is closed with it. @throws {ZorError} FAILED_PRECONDITION when nobody listens there.
 */
export async function* dial(
  fd: number,
  { address, port, input }: Dialled,
  { signal, resource, from }: CallOptions & { readonly resource: string; readonly from: string },
): AsyncGenerator<FromServer> {
  // Without manualStart, which Node's types do not know, it would be read before it is connected.
  const options: SocketConstructorOpts & { readonly manualStart: boolean } = {
    fd,
    manualStart: true,
    allowHalfOpen: true,
  };
  const socket = new Socket(options);
  const close = (): void => void socket.destroy();
  signal.addEventListener("abort", close, { once: true });
  socket.on("error", close);
  try {
    socket.connect({ host: address, port });
    const limit = AbortSignal.any([signal, timeLimit(connectMs)]);
    await once(socket, "connect", { signal: limit }).catch((error: unknown) => {
      signal.throwIfAborted();
      throw refused(error, `${address.includes(":") ? `[${address}]` : address}:${port} ${from}`, resource);
    });
    socket.setNoDelay(true);
    yield* socketStream(socket, input, signal);
  } finally {
    signal.removeEventListener("abort", close);
    socket.destroy();
  }
}

const words: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nobody listens there",
  EHOSTUNREACH: "there is no way to that address",
  ENETUNREACH: "there is no way to that address",
  ETIMEDOUT: "it does not answer",
};

function refused(error: unknown, where: string, resource: string): Error {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const why = words[code] ?? (code === "ABORT_ERR" ? "it does not answer" : code);
  return failedPrecondition("CONNECT_FAILED", resource, `${resource}: cannot connect to ${where}: ${why}`);
}
