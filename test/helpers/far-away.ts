import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { connect, createServer, type Server, type Socket } from "node:net";

/** A port that leads to another one of this machine as if that were far away: each byte takes `delayMs` there, and back. */
export class FarAway implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server) {
    this.#server = server;
  }

  static async open(port: number, delayMs: number): Promise<FarAway> {
    const server = createServer({ allowHalfOpen: true });
    const far = new FarAway(server);
    server.on("connection", (near) => {
      const there = connect({ host: "127.0.0.1", port, allowHalfOpen: true });
      far.#pass(near, there, delayMs);
      far.#pass(there, near, delayMs);
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return far;
  }

  get port(): number {
    // Of a server that listens on TCP.
    return (this.#server.address() as AddressInfo).port;
  }

  #pass(from: Socket, to: Socket, delayMs: number): void {
    this.#sockets.add(from);
    from.setNoDelay(true);
    // Timers of the same delay keep their order.
    const later = (work: () => void): void => void setTimeout(work, delayMs);
    from.on("data", (bytes) => later(() => to.writable && to.write(bytes)));
    from.on("end", () => later(() => to.end()));
    from.on("error", () => undefined);
    from.on("close", () => {
      this.#sockets.delete(from);
      later(() => to.destroy());
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, "close");
  }
}
