import { createConnection, createServer, type Server, type Socket } from "node:net";

/** A TCP proxy that can go silent: it then still accepts, and passes nothing on. */
export class TcpProxy {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #silent = false;
  #accepted = 0;
  #drops: ReadonlySet<number> = new Set();

  private constructor(target: () => string) {
    this.#server = createServer((near) => {
      this.#accepted += 1;
      this.#add(near);
      if (this.#drops.has(this.#accepted)) {
        near.destroy();
        return;
      }
      if (target() === "") return;
      const [host, port] = target().split(":");
      const far = createConnection({ host: host ?? "", port: Number(port) });
      this.#add(far);
      this.#pipe(near, far);
      this.#pipe(far, near);
    });
  }

  /** @param target "ip:port" to which new connections go; "": they are only accepted. */
  static async start(target: () => string): Promise<TcpProxy> {
    const proxy = new TcpProxy(target);
    await new Promise<void>((resolve) => proxy.#server.listen({ host: "127.0.0.1", port: 0 }, resolve));
    return proxy;
  }

  /** Connections accepted so far. */
  get connections(): number {
    return this.#accepted;
  }

  get address(): string {
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("the proxy does not listen");
    return `127.0.0.1:${address.port}`;
  }

  /** Ends these connections at once, counted from 1. */
  drop(connections: readonly number[]): void {
    this.#drops = new Set(connections);
  }

  /** From now on nothing is passed on, or everything is again for new connections. */
  setSilent(silent: boolean): void {
    this.#silent = silent;
    if (!silent) for (const socket of this.#sockets) socket.destroy();
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #pipe(from: Socket, to: Socket): void {
    from.on("data", (data) => {
      if (!this.#silent) to.write(data);
    });
    from.on("close", () => {
      if (!this.#silent) to.destroy();
    });
  }

  #add(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on("error", () => undefined);
    socket.on("close", () => this.#sockets.delete(socket));
  }
}
