import { randomUUID } from "node:crypto";
import { createServer } from "node:net";
import { join } from "node:path";
import { type Duplex, pipeline } from "node:stream";

/** A socket that an agent has dialled, offered as an address gRPC can connect to. */
export interface Spliced {
  /** "unix:/path". */
  readonly address: string;
  /** Ends it. Idempotent. */
  close(): void;
}

/**
 * Offers a socket as a unix socket that takes one connection: gRPC with its own TLS then runs through it, end to end.
 * `directory` is the hub's own, mode 0700.
 */
export async function splice(socket: Duplex, directory: string): Promise<Spliced> {
  const path = join(directory, `${randomUUID().slice(0, 8)}.sock`);
  const server = createServer((local) => {
    // A second connection could only be gRPC connecting again: by then the agent's socket is used up.
    server.close();
    pipeline(local, socket, local, () => {
      local.destroy();
      socket.destroy();
    });
  });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", reject);
  server.listen(path, resolve);
  await promise;
  return {
    address: `unix:${path}`,
    close: () => {
      if (server.listening) server.close();
      socket.destroy();
    },
  };
}
