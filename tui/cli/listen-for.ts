import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { failedPrecondition, messageOf } from "../../lib/errors.js";
import type { ConnectOpen } from "../../proto/gen/zor/v1/forward_service.js";
import { tunnel } from "../client/tunnel.js";
import { escapeText } from "../kit/text/escape.js";
import type { Session } from "./session.js";

/** Where connections are taken on this machine. */
export interface ListenPlace {
  readonly address: string;
  /** 0: a free one. */
  readonly port: number;
  /** Only the first connection is taken. Default: all are. */
  readonly once?: boolean;
}

/** Passes every connection that comes in on to an instance, until the server is closed, which ends them. @throws {ZorError} */
export async function listenFor(
  session: Session,
  open: Partial<ConnectOpen> & Pick<ConnectOpen, "name">,
  { address, port, once: isOnce = false }: ListenPlace,
): Promise<{ readonly server: Server; readonly port: number }> {
  const connection = await session.connect();
  const { signal } = session.io;
  const sockets = new Set<Socket>();
  let taken = 0;
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    taken++;
    if (isOnce && taken > 1) {
      socket.destroy();
      return;
    }
    sockets.add(socket);
    socket.setNoDelay(true);
    socket.on("error", () => socket.destroy());
    tunnel(connection, open, { input: socket, output: socket }, signal)
      .catch((error: unknown) => {
        if (!signal.aborted && !socket.errored) session.note(escapeText(`zor: ${messageOf(error)}`));
      })
      .finally(() => {
        socket.destroy();
        sockets.delete(socket);
      });
  });
  server.on("close", () => sockets.forEach((socket) => void socket.destroy()));
  server.listen({ host: address, port });
  try {
    await once(server, "listening");
  } catch (error) {
    const [where, why] = [hostPort(address, port), messageOf(error)];
    throw failedPrecondition("CANNOT_LISTEN", "", `cannot listen on ${where}: ${why}; choose another port`);
  }
  const bound = server.address();
  return { server, port: typeof bound === "object" && bound !== null ? bound.port : port };
}

/** "127.0.0.1:80", "[::1]:80". */
export function hostPort(address: string, port: number): string {
  return `${address.includes(":") ? `[${address}]` : address}:${port}`;
}
