import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { failedPrecondition, messageOf } from "../../lib/errors.js";
import type { Connection } from "../../lib/grpc/connection.js";
import { tunnel } from "../../lib/grpc/tunnel.js";
import type { ConnectOpen } from "../../proto/gen/zor/v1/forward_service.js";

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

/** What connections are passed on through. */
export interface ListenVia {
  readonly connection: Connection;
  readonly signal: AbortSignal;
  /** Told why a connection could not be passed on. */
  readonly onTrouble: (text: string) => void;
}

/** What listens. */
export interface Listening {
  /** Closing it ends its connections. */
  readonly server: Server;
  readonly port: number;
  /** Connections there are, and there were. */
  readonly counts: { readonly open: number; readonly taken: number };
}

/** Passes every connection that comes in on to an instance, until the server is closed, which ends them. @throws {ZorError} */
export async function listenFor(
  { connection, signal, onTrouble }: ListenVia,
  open: Partial<ConnectOpen> & Pick<ConnectOpen, "name">,
  { most = Number.POSITIVE_INFINITY, mostAtOnce = Number.POSITIVE_INFINITY, ...place }: ListenPlace,
): Promise<Listening> {
  const sockets = new Set<Socket>();
  let taken = 0;
  const counts = {
    get open(): number {
      return sockets.size;
    },
    get taken(): number {
      return taken;
    },
  };
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
        if (!signal.aborted && !socket.errored) onTrouble(messageOf(error));
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
  return { server, port: typeof bound === "object" && bound !== null ? bound.port : port, counts };
}

/** "127.0.0.1:80", "[::1]:80". */
export function hostPort(address: string, port: number): string {
  return `${address.includes(":") ? `[${address}]` : address}:${port}`;
}
