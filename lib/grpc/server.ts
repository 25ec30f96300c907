import type { SecureContextOptions, TlsOptions } from "node:tls";
import { type ChannelOptions, Server, ServerCredentials, status } from "@grpc/grpc-js";
import { messageOf, ZorError } from "../errors.js";
import type { Identity } from "../tls/identity.js";
import { serverOptions } from "./limits.js";

/** Longest TLS handshake in milliseconds. */
const handshakeTimeoutMs = 10_000;

/** A gRPC server with this project's limits, and `more`. Add services, then {@link listen}. */
export function createGrpcServer(more: ChannelOptions = {}): Server {
  return new Server({ ...serverOptions, ...more });
}

/** TLS credentials of listeners, with which the certificate can change while connections stay. */
export interface ServerTls {
  readonly credentials: ServerCredentials;
  /** New connections see this identity from now on. */
  reload(identity: Identity): void;
}

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
  // Node's own limit is two minutes: time enough to use up all descriptors with connections that never say who they are.
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
export function listen(server: Server, address: string, credentials: ServerCredentials): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(address, credentials, (error, port) => {
      if (error === null) {
        resolve(port);
        return;
      }
      reject(
        new ZorError({
          reason: "CANNOT_LISTEN",
          code: status.UNAVAILABLE,
          message: `cannot listen on ${address}: ${messageOf(error)}; is another program using it, or is it not an address of this machine?`,
          cause: error,
        }),
      );
    });
  });
}

/** Stops accepting calls and ends the running ones: gracefully for up to `graceMs`, then at once. */
export async function shutDown(server: Server, graceMs: number): Promise<void> {
  await Promise.race([
    new Promise<void>((resolve) => server.tryShutdown(() => resolve())),
    new Promise<void>((resolve) => setTimeout(resolve, graceMs).unref()),
  ]);
  server.forceShutdown();
}
