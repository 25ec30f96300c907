import { connect, type TLSSocket } from "node:tls";
import type { Server } from "@grpc/grpc-js";
import { createServerTls } from "../../lib/grpc/server.js";
import type { Identity } from "../../lib/tls/identity.js";
import { hubServerName } from "../../lib/tls/join.js";

/** Opens connections to a hub's reverse listener and serves a fake agent over each that the hub begins to use. */
export class DialOut {
  readonly #sockets = new Set<TLSSocket>();
  readonly #server: Server;
  readonly #identity: Identity;
  readonly #address: string;
  #closed = false;

  constructor(server: Server, identity: Identity, address: string) {
    this.#server = server;
    this.#identity = identity;
    this.#address = address;
  }

  /** Connects and parks; another connection is opened as soon as this one is used or lost. */
  dial(): void {
    const split = this.#address.lastIndexOf(":");
    const socket = connect({
      host: this.#address.slice(0, split),
      port: Number(this.#address.slice(split + 1)),
      servername: hubServerName,
      ca: this.#identity.caPem,
      key: this.#identity.keyPem,
      cert: this.#identity.certificatePem,
      minVersion: "TLSv1.3",
    });
    this.#sockets.add(socket);
    socket.on("error", () => undefined);
    socket.on("close", () => {
      this.#sockets.delete(socket);
      if (!this.#closed && this.#sockets.size === 0) setTimeout(() => this.dial(), 100);
    });
    const { credentials } = createServerTls(this.#identity, "required");
    const injector = this.#server.createConnectionInjector(credentials);
    // The hub speaks first, with the inner TLS: only then is the connection handed to gRPC.
    socket.once("readable", () => {
      if (socket.readableLength === 0) return;
      injector.injectConnection(socket);
      if (!this.#closed) this.dial();
    });
  }

  close(): void {
    this.#closed = true;
    for (const socket of this.#sockets) socket.destroy();
  }
}
