import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { failedPrecondition, messageOf } from "../../lib/errors.js";
import { tunnel } from "../../lib/grpc/tunnel.js";
import type { ConnectOpen } from "../../proto/gen/zor/v1/forward_service.js";
import { escapeText } from "../kit/text/escape.js";
import type { Session } from "./session.js";

/** A port of this machine. */
interface PortPlace {
  readonly address: string;
  /** 0: a free one. */
  readonly port: number;
}

/** Where connections are taken on this machine: at a port, or a unix socket of that path. */
export type ListenPlace = (PortPlace | { readonly path: string }) & {
  /** Only so many connections are taken. Default: all are. */
  readonly most?: number;
  /** Only so many are open at a time. Default: any number. */
  readonly mostAtOnce?: number;
};

/** Passes every connection that comes in on to an instance, until the server is closed, which ends them. @throws {ZorError} */
export async function listenFor(
  session: Session,
  open: Partial<ConnectOpen> & Pick<ConnectOpen, "name">,
  { most = Number.POSITIVE_INFINITY, mostAtOnce = Number.POSITIVE_INFINITY, ...place }: ListenPlace,
): Promise<{ readonly server: Server; readonly port: number }> {
  const connection = await session.connect();
  const { signal } = session.io;
  const sockets = new Set<Socket>();
  let taken = 0;
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    if (taken >= most || sockets.size >= mostAtOnce) {
      socket.destroy();
      return;
    }
    taken++;
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
  const port = "path" in place ? 0 : place.port;
  server.listen("path" in place ? { path: place.path } : { host: place.address, port });
  try {
    await once(server, "listening");
  } catch (error) {
    const why = messageOf(error);
    if ("path" in place) throw failedPrecondition("CANNOT_LISTEN", "", `cannot listen at ${place.path}: ${why}`);
    const where = hostPort(place.address, port);
    throw failedPrecondition("CANNOT_LISTEN", "", `cannot listen on ${where}: ${why}; choose another port`);
  }
  const bound = server.address();
  return { server, port: typeof bound === "object" && bound !== null ? bound.port : port };
}

/** "127.0.0.1:80", "[::1]:80". */
export function hostPort(address: string, port: number): string {
  return `${address.includes(":") ? `[${address}]` : address}:${port}`;
}
