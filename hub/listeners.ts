import { mainLimits, openLimits } from "../lib/grpc/limits.js";
import {
  createGrpcServer,
  createServerTls,
  type GuardedServer,
  listen,
  type ServerTls,
  shutDown,
} from "../lib/grpc/server.js";
import { type ListenNews, StandingListener } from "../lib/standing-listener.js";
import type { Identity } from "../lib/tls/identity.js";

/** A gRPC server on one or more addresses that can take a renewed certificate. */
export class Listener {
  readonly server: GuardedServer;
  readonly #tls: ServerTls;
  readonly #shown: (identity: Identity) => Identity;

  /** @param kind "main": a client certificate is required; "join": none is asked for. */
  constructor(kind: "main" | "join", identity: Identity) {
    this.server = createGrpcServer(kind === "join" ? openLimits : mainLimits);
    this.#shown = kind === "main" ? (same) => same : withChain;
    this.#tls = createServerTls(this.#shown(identity), kind === "main" ? "required" : "none");
  }

  /** Binds an address; resolves to the real port. @throws {ZorError} UNAVAILABLE. */
  bind(address: string): Promise<number> {
    return listen(this.server, address, this.#tls.credentials);
  }

  /** Listens at the addresses that are there, and at the others when they come. @throws {ZorError} UNAVAILABLE. */
  listen(addresses: readonly string[], news: ListenNews): Promise<StandingListener> {
    const bind = (address: string): Promise<number> => this.bind(address);
    return StandingListener.open(addresses, { ...news, bind });
  }

  /** Presents a renewed certificate to new connections; those that are open stay. */
  renew(identity: Identity): void {
    this.#tls.reload(this.#shown(identity));
  }

  async close(graceMs: number): Promise<void> {
    await shutDown(this.server, graceMs);
  }
}

// Joiners check the CA by its fingerprint: it must be in the chain they are shown.
function withChain(identity: Identity): Identity {
  return { ...identity, certificatePem: `${identity.certificatePem}${identity.caPem}` };
}
