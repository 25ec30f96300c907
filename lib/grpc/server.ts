import type { Http2SecureServer } from "node:http2";
import { createServer, type Server as TcpServer } from "node:net";
import type { SecureContextOptions, TlsOptions } from "node:tls";
import {
  Server,
  ServerCredentials,
  type ServiceDefinition,
  status,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { messageOf, ZorError } from "../errors.js";
import type { Identity } from "../tls/identity.js";
import { mainLimits, type ServerLimits } from "./limits.js";
import { withMalformed } from "./malformed.js";
import { type GuardNews, ServerGuard } from "./server-guard.js";

type Injector = ReturnType<Server["createConnectionInjector"]>;

/**
 * A gRPC server that holds this project's limits. It accepts connections itself and hands them to grpc-js when they may begin their
 * handshake. Add services, then {@link listen}.
 */
export class GuardedServer extends Server {
  readonly #guard: ServerGuard;
  readonly #listeners = new Set<TcpServer>();

  constructor(limits: ServerLimits, guard: ServerGuard) {
    super({ ...limits.grpc, interceptors: [guard.interceptor] });
    this.#guard = guard;
    // grpc-js has no public way to set limits of HTTP/2; it makes every server with these options.
    const internals = this as unknown as { commonServerOptions: object };
    Object.assign(internals.commonServerOptions, limits.http2);
  }

  override addService(service: ServiceDefinition, implementation: UntypedServiceImplementation): void {
    super.addService(withMalformed(service), implementation);
  }

  /** Where to tell of connections that were refused or cut off. */
  onNews(news: GuardNews): void {
    this.#guard.news = news;
  }

  override createConnectionInjector(credentials: ServerCredentials): Injector {
    const injector = super.createConnectionInjector(credentials);
    const { http2Servers } = this as unknown as { readonly http2Servers: ReadonlyMap<Http2SecureServer, unknown> };
    const made = [...http2Servers.keys()].at(-1);
    if (made === undefined) throw new Error("grpc-js keeps its HTTP/2 servers elsewhere");
    this.#guard.watch(made);
    return injector;
  }

  /** Binds "ip:port" and resolves to the port. */
  async listenOn(address: string, credentials: ServerCredentials): Promise<number> {
    const at = address.lastIndexOf(":");
    const injector = this.createConnectionInjector(credentials);
    const listener = createServer({ noDelay: true }, (socket) =>
      this.#guard.door.enter(socket, () => injector.injectConnection(socket)),
    );
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    listener.once("error", reject);
    listener.listen(
      { host: address.slice(0, at).replace(/^\[|\]$/g, ""), port: Number(address.slice(at + 1)) },
      resolve,
    );
    try {
      await promise;
    } catch (error) {
      injector.destroy();
      throw error;
    }
    listener.off("error", reject);
    // Such as too many open files: it passes by itself.
    listener.on("error", () => undefined);
    this.#listeners.add(listener);
    const bound = listener.address();
    return typeof bound === "object" && bound !== null ? bound.port : 0;
  }

  override tryShutdown(callback: (error?: Error) => void): void {
    this.#stopListening();
    // grpc-js waits for the connections of listeners of its own; those that were handed to it end by themselves once their calls have.
    super.tryShutdown((error) => this.#guard.whenEmpty(() => callback(error)));
  }

  override forceShutdown(): void {
    this.#stopListening();
    super.forceShutdown();
    this.#guard.destroySessions();
  }

  #stopListening(): void {
    for (const listener of this.#listeners) listener.close();
    this.#listeners.clear();
    this.#guard.close();
  }
}

/** A gRPC server with the limits of those for callers with a certificate, or others. */
export function createGrpcServer(limits: ServerLimits = mainLimits): GuardedServer {
  return new GuardedServer(limits, new ServerGuard(limits));
}

/** TLS credentials of listeners, with which the certificate can change while connections stay. */
export interface ServerTls {
  readonly credentials: ServerCredentials;
  /** New connections see this identity from now on. */
  reload(identity: Identity): void;
}

/** Longest TLS handshake in milliseconds, once it has begun; Node's own limit is two minutes. */
const handshakeTimeoutMs = 5000;

/**
 * Credentials of listeners: TLS 1.3 only. With "required" (every main listener) a client certificate of the identity's CA must
 * be shown; "none" is for join listeners, whose callers have none yet.
 */
export function createServerTls(identity: Identity, clientCertificate: "required" | "none"): ServerTls {
  const required = clientCertificate === "required";
  const credentials = ServerCredentials.createSsl(
    Buffer.from(identity.caPem),
    [{ private_key: Buffer.from(identity.keyPem), cert_chain: Buffer.from(identity.certificatePem) }],
    required,
  );
  // grpc-js has no public way to set TLS versions and limits or to change a certificate; it uses these methods itself.
  const internals = credentials as unknown as {
    updateSecureContextOptions: (options: SecureContextOptions) => void;
    _getConstructorOptions: () => TlsOptions;
  };
  const constructorOptions = { ...internals._getConstructorOptions(), handshakeTimeout: handshakeTimeoutMs };
  internals._getConstructorOptions = () => constructorOptions;
  const reload = (next: Identity): void => {
    internals.updateSecureContextOptions({
      ca: next.caPem,
      cert: next.certificatePem,
      key: next.keyPem,
      minVersion: "TLSv1.3",
    });
  };
  reload(identity);
  return { credentials, reload };
}

/**
 * Binds one address ("ip:port"; port 0 picks one) and resolves to the bound port.
 * @throws {ZorError} UNAVAILABLE that names the address when it cannot be bound.
 */
export async function listen(server: GuardedServer, address: string, credentials: ServerCredentials): Promise<number> {
  try {
    return await server.listenOn(address, credentials);
  } catch (error) {
    throw new ZorError({
      reason: "CANNOT_LISTEN",
      code: status.UNAVAILABLE,
      message: `cannot listen on ${address}: ${whyNot(messageOf(error))}`,
      cause: error,
    });
  }
}

/** grpc-js: "No address added out of total 1 resolved errors: [listen EADDRINUSE: address already in use 10.0.0.1:7440]". */
function whyNot(said: string): string {
  if (said.includes("EADDRINUSE")) return "another program uses it";
  if (said.includes("EACCES")) return "this user may not use that port";
  if (said.includes("EADDRNOTAVAIL")) return "it is not an address of this machine";
  return said.replace(/^.*errors: \[(.*)\]$/, "$1");
}

/** Stops accepting calls and ends the running ones: gracefully for up to `graceMs`, then at once. */
export async function shutDown(server: Server, graceMs: number): Promise<void> {
  await Promise.race([
    new Promise<void>((resolve) => server.tryShutdown(() => resolve())),
    new Promise<void>((resolve) => setTimeout(resolve, graceMs).unref()),
  ]);
  server.forceShutdown();
}
