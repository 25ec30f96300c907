import { X509Certificate } from "node:crypto";
import { createServer as createTcpServer, type Server as TcpServer } from "node:net";
import { createServer, type Server, type TLSSocket } from "node:tls";
import { status } from "@grpc/grpc-js";
import { callerOfCertificate, findCaller } from "../../lib/auth/caller.js";
import { bootOf, refusalMark } from "../../lib/dial-out-protocol.js";
import { messageOf, ZorError } from "../../lib/errors.js";
import type { Log } from "../../lib/log.js";
import { Door, type DoorLimits } from "../../lib/net/door.js";
import { socketBelow } from "../../lib/net/socket-below.js";
import { trouble } from "../../lib/tls/certificate-trouble.js";
import { certificateFacts, type Identity } from "../../lib/tls/identity.js";
import { splitAddress } from "../kit/split-address.js";
import type { MetAgent } from "./copies.js";
import type { ParkedSockets } from "./parked-sockets.js";

/** What a reverse listener needs. */
export interface ReverseListenerOptions {
  /** "ip:port"; port 0 picks one. */
  readonly address: string;
  readonly identity: () => Identity;
  readonly parked: ParkedSockets;
  /** Asked about every agent that has proven who it is: "" lets it in, else why not. Within seconds. */
  readonly admit: (host: string, agent: MetAgent) => Promise<string>;
  readonly isRevoked: (serial: string) => boolean;
  /** Told of a host whose certificate, signed by this hub, is refused for its dates. */
  readonly onBadDates: (host: string, why: string) => void;
  readonly log: Log;
}

/** Half-open handshakes end after this time. */
const handshakeTimeoutMs = 5000;
/** An agent holds a few connections; several may share an address. One that is not parked any more is a host's session. */
const doorLimits: DoorLimits = {
  unproven: 256,
  unprovenPerAddress: 64,
  connections: 4096,
  connectionsPerAddress: 1024,
  handshakesPerAddress: { perSecond: 20, burst: 60 },
  handshakes: { perSecond: 60, burst: 120 },
  provenWithinMs: handshakeTimeoutMs,
  oldestGoes: false,
};

/** Accepts agents that cannot be dialled: TLS 1.3, certificate of a host required. Their sockets wait to be used. */
export class ReverseListener {
  /** Accepts connections, of which nothing is read until their handshake may begin. */
  readonly #listener: TcpServer;
  readonly #server: Server;
  readonly #door = new Door(doorLimits);
  readonly #options: ReverseListenerOptions;

  private constructor(options: ReverseListenerOptions) {
    this.#options = options;
    const { keyPem, certificatePem, caPem } = options.identity();
    this.#server = createServer({
      key: keyPem,
      cert: certificatePem,
      ca: caPem,
      requestCert: true,
      // Refused below, before anything else: what is wrong with a certificate is told at its host.
      rejectUnauthorized: false,
      minVersion: "TLSv1.3",
      handshakeTimeout: handshakeTimeoutMs,
      ALPNCallback: ({ protocols }) => protocols.find((offered) => bootOf(offered) !== ""),
    });
    this.#listener = createTcpServer((socket) =>
      this.#door.enter(socket, () => this.#server.emit("connection", socket)),
    );
    this.#server.on("secureConnection", (socket) => void this.#accept(socket));
    this.#server.on("tlsClientError", (error) => options.log.debug({ err: error }, "reverse connection refused"));
  }

  /** @throws {ZorError} UNAVAILABLE when the address cannot be bound. */
  static async listen(options: ReverseListenerOptions): Promise<ReverseListener> {
    const listener = new ReverseListener(options);
    const { host, port } = splitAddress(options.address);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    listener.#listener.once("error", reject);
    listener.#listener.listen({ host, port }, resolve);
    try {
      await promise;
    } catch (error) {
      throw new ZorError({
        reason: "CANNOT_LISTEN",
        code: status.UNAVAILABLE,
        message: `cannot listen on ${options.address}: ${messageOf(error)}`,
        cause: error,
      });
    }
    // Such as too many open files: it passes by itself.
    listener.#listener.on("error", (error) => options.log.error({ err: error }, "the reverse listener has a problem"));
    return listener;
  }

  get port(): number {
    const address = this.#listener.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  }

  /** Presents a renewed certificate to those that connect from now on. */
  renew(): void {
    const { keyPem, certificatePem, caPem } = this.#options.identity();
    this.#server.setSecureContext({ key: keyPem, cert: certificatePem, ca: caPem, minVersion: "TLSv1.3" });
  }

  async close(): Promise<void> {
    this.#options.parked.close();
    this.#door.close();
    await new Promise<void>((resolve) => this.#listener.close(() => resolve()));
  }

  async #accept(socket: TLSSocket): Promise<void> {
    socket.on("error", (error) => this.#options.log.debug({ err: error }, "reverse connection failed"));
    try {
      if (!socket.authorized) throw new Error(this.#whyRefused(socket));
      const caller = callerOfCertificate(socket.getPeerCertificate());
      if (caller.kind !== "host") throw new Error(`${caller.identity} is not a host`);
      if (caller.serial !== undefined && this.#options.isRevoked(caller.serial)) throw new Error("certificate revoked");
      const raw = socketBelow(socket);
      if (raw !== undefined) this.#door.proven(raw);
      // Finds peers that are gone without a word within about 15 s.
      socket.setKeepAlive(true, 5000);
      socket.setNoDelay(true);
      const peer = socketAddress(socket);
      const boot = bootOf(socket.alpnProtocol || "");
      const refusal = await this.#options.admit(caller.id, { boot, address: peer });
      if (refusal !== "") {
        socket.end(`${refusalMark}${refusal}\n`);
        setTimeout(() => socket.destroy(), handshakeTimeoutMs).unref();
      } else if (!socket.destroyed) {
        this.#options.parked.park(caller.id, { socket, serial: caller.serial, boot, peer });
      }
    } catch (error) {
      this.#options.log.warn({ reason: messageOf(error), peer: socket.remoteAddress }, "reverse connection refused");
      socket.destroy();
    }
  }

  /** Why a peer is not let in. Dates are told at the host only when this hub signed the certificate. */
  #whyRefused(socket: TLSSocket): string {
    const certificate = socket.getPeerX509Certificate();
    if (certificate === undefined) return "it shows no certificate";
    const ca = new X509Certificate(this.#options.identity().caPem);
    if (!certificate.verify(ca.publicKey)) return "its certificate is not of this hub";
    const facts = certificateFacts(certificate.raw);
    const why = trouble({ whose: "its agent's", facts }, new Date()) ?? "its certificate is not valid";
    const caller = findCaller(facts.uris);
    if (caller?.kind === "host") this.#options.onBadDates(caller.id, why);
    return why;
  }
}

function socketAddress({ remoteAddress = "", remotePort = 0 }: TLSSocket): string {
  const plain = remoteAddress.replace(/^::ffff:(?=[0-9.]+$)/, "");
  return plain.includes(":") ? `[${plain}]:${remotePort}` : `${plain}:${remotePort}`;
}
