import { createHash, timingSafeEqual } from "node:crypto";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import type { TLSSocket } from "node:tls";
import { callerOfCertificate } from "../auth/caller.js";
import { messageOf, unavailable } from "../errors.js";
import { parseHostPort } from "../socket-address.js";
import type { Identity } from "../tls/identity.js";
import { Role } from "../../proto/gen/zor/v1/token_service.js";

/** What is served, and to whom. */
export interface MetricsServerOptions {
  readonly identity: Identity;
  /** File with a bearer token, read each time; undefined: only certificates count. */
  readonly tokenFile: string | undefined;
  readonly isRevoked: (serial: string) => boolean;
  /** The text, piece by piece. */
  readonly read: () => AsyncIterable<string>;
  readonly onError: (error: unknown) => void;
}

const mostConnections = 64;
const mostScrapes = 4;
const contentType = "text/plain; version=0.0.4; charset=utf-8";

/** Serves /metrics over TLS, to whoever shows a client certificate of this fleet or the bearer token; on a port of its own. */
export class MetricsServer {
  readonly #options: MetricsServerOptions;
  readonly #servers: Server[] = [];
  #identity: Identity;
  #scrapes = 0;

  constructor(options: MetricsServerOptions) {
    this.#options = options;
    this.#identity = options.identity;
  }

  /** Listens at an "ip:port"; resolves to the real port. @throws {ZorError} UNAVAILABLE. */
  async bind(address: string): Promise<number> {
    const server = createServer({
      ...contextOf(this.#identity),
      minVersion: "TLSv1.3",
      requestCert: true,
      // Who has none may have the token: whether it is good is looked at with each request.
      rejectUnauthorized: false,
      handshakeTimeout: 5000,
      headersTimeout: 5000,
      requestTimeout: 10_000,
      maxHeaderSize: 8 * 1024,
      keepAliveTimeout: 70_000,
    });
    server.maxConnections = mostConnections;
    server.on("request", (request, response) => void this.#serve(request, response));
    // Whoever does not speak TLS or HTTP.
    server.on("tlsClientError", (_, socket) => socket.destroy());
    server.on("clientError", (_, socket) => socket.destroy());
    const { host = "", port } = parseHostPort(address) ?? {};
    try {
      server.listen({ host, port });
      await once(server, "listening");
    } catch (error) {
      throw unavailable(
        "LISTEN",
        "",
        `cannot listen at ${address} for metrics: ${messageOf(error)}; give another address`,
        error,
      );
    }
    server.on("error", this.#options.onError);
    this.#servers.push(server);
    const bound = server.address();
    return typeof bound === "object" && bound !== null ? bound.port : 0;
  }

  /** Shows a renewed certificate to new connections. */
  renew(identity: Identity): void {
    this.#identity = identity;
    for (const server of this.#servers) server.setSecureContext({ ...contextOf(identity), minVersion: "TLSv1.3" });
  }

  async close(): Promise<void> {
    for (const server of this.#servers) {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    }
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      if (!(await this.#isAllowed(request))) {
        answer(response, 401, "show a client certificate of this fleet, or the bearer token\n", {
          "www-authenticate": 'Bearer realm="zorhub"',
        });
      } else if ((request.url ?? "").replace(/\?.*$/s, "") !== "/metrics")
        answer(response, 404, "there is /metrics only\n");
      else if (request.method !== "GET") answer(response, 405, "only GET\n", { allow: "GET" });
      else if (this.#scrapes >= mostScrapes)
        answer(response, 503, "too many read it at once\n", { "retry-after": "1" });
      else await this.#scrape(response);
    } catch (error) {
      this.#options.onError(error);
      if (response.headersSent) response.destroy();
      else answer(response, 500, "it could not be read; the log says why\n");
    }
  }

  async #scrape(response: ServerResponse): Promise<void> {
    this.#scrapes += 1;
    const gone = new AbortController();
    response.once("close", () => gone.abort());
    try {
      response.writeHead(200, { "content-type": contentType, "cache-control": "no-store" });
      for await (const piece of this.#options.read()) {
        if (gone.signal.aborted) return;
        if (!response.write(piece)) await once(response, "drain", { signal: gone.signal }).catch(() => undefined);
      }
      response.end();
    } finally {
      this.#scrapes -= 1;
    }
  }

  async #isAllowed({ socket, headers }: IncomingMessage): Promise<boolean> {
    return isReader(socket as TLSSocket, this.#options) || (await this.#hasToken(headers.authorization ?? ""));
  }

  async #hasToken(authorization: string): Promise<boolean> {
    const { tokenFile } = this.#options;
    const [, given] = /^Bearer +(\S+)$/i.exec(authorization) ?? [];
    if (tokenFile === undefined || given === undefined) return false;
    const wanted = (await readFile(tokenFile, "utf8")).trim();
    return wanted !== "" && timingSafeEqual(digest(given), digest(wanted));
  }
}

/** Whether who is connected has shown a certificate of somebody who may look at resources. */
function isReader(socket: TLSSocket, { isRevoked }: Pick<MetricsServerOptions, "isRevoked">): boolean {
  if (!socket.authorized) return false;
  try {
    const { role, serial } = callerOfCertificate(socket.getPeerCertificate());
    return role !== Role.ROLE_UNSPECIFIED && serial !== undefined && !isRevoked(serial);
  } catch {
    return false;
  }
}

function contextOf({ keyPem, certificatePem, caPem }: Identity): { key: string; cert: string; ca: string } {
  return { key: keyPem, cert: certificatePem, ca: caPem };
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}

function answer(
  response: ServerResponse,
  code: number,
  text: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  response.writeHead(code, { "content-type": "text/plain; charset=utf-8", ...headers }).end(text);
}
