import { isIP } from "node:net";
import type { PeerCertificate } from "node:tls";
import {
  Client,
  type ClientDuplexStream,
  type ClientReadableStream,
  connectivityState,
  credentials,
  type CallOptions as GrpcCallOptions,
  Metadata,
  status,
} from "@grpc/grpc-js";
import { urisOf } from "../auth/caller.js";
import { unavailable, ZorError } from "../errors.js";
import { foreignWords } from "../foreign-words.js";
import { lookAtCertificate, trouble } from "../tls/certificate-trouble.js";
import { certificateFacts, type Identity } from "../tls/identity.js";
import { channelOptions } from "./limits.js";
import { type ObjectReader, readAll } from "./read-all.js";
import { fromServiceError } from "./status-codec.js";
import { writeAll } from "./write-all.js";

/** A method of a ts-proto service definition, with its message types. */
export interface Method<Request, Response> {
  readonly path: string;
  readonly requestSerialize: (value: Request) => Buffer;
  readonly responseDeserialize: (value: Buffer) => Response;
}

/** Where and as whom to connect. */
export interface ConnectionOptions {
  /** "ip:port", "[ip6]:port", "name:port" or "unix:/path". */
  readonly address: string;
  readonly identity: Identity;
  /** DNS name the server's certificate must hold: "hub.zor" or "alpha.host.zor". */
  readonly serverName: string;
  /** URI the server's certificate must hold, for example "zor://host/alpha"; default: any. */
  readonly serverUri?: string;
  /** Whether a server certificate with this serial number (upper-case hexadecimal) is revoked; default: none is. */
  readonly isRevoked?: (serial: string) => boolean;
}

/** Options of every call. */
export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds until the call fails with DEADLINE_EXCEEDED. Unary default 15,000; streams have none. */
  readonly timeoutMs?: number;
  /** More metadata. */
  readonly metadata?: Readonly<Record<string, string>>;
}

/** Nobody was there to show a certificate. */
const notReached = /ECONNREFUSED|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ENOENT|name cannot be resolved/;

/** A gRPC channel over mutual TLS 1.3. It connects when first used and again whenever it is lost; all errors are ZorErrors. */
export class Connection {
  readonly address: string;
  readonly #options: ConnectionOptions;
  readonly #client: Client;
  #peer: string | undefined;

  constructor(options: ConnectionOptions) {
    this.address = options.address;
    this.#options = options;
    const { identity } = options;
    const channelCredentials = credentials.createSsl(
      Buffer.from(identity.caPem),
      // A joiner has no certificate yet.
      identity.keyPem === "" ? null : Buffer.from(identity.keyPem),
      identity.certificatePem === "" ? null : Buffer.from(identity.certificatePem),
      // The default of the second follows a variable of the environment.
      { checkServerIdentity: (_host, certificate) => checkServer(options, certificate), rejectUnauthorized: true },
    );
    this.#client = new Client(targetOf(options.address), channelCredentials, {
      ...channelOptions,
      "grpc.ssl_target_name_override": options.serverName,
      "grpc.default_authority": options.serverName,
    });
  }

  /** "ip:port" that answered the last unary call; the address while none has. */
  get peer(): string {
    return this.#peer ?? this.address;
  }

  /** Waits until the channel is up or a try to bring it up has failed: then a call tells why. "silent": neither in `timeoutMs`. */
  settled(timeoutMs: number): Promise<"up" | "failed" | "silent"> {
    const channel = this.#client.getChannel();
    const deadline = Date.now() + timeoutMs;
    return new Promise((resolve) => {
      const look = (): void => {
        const state = channel.getConnectivityState(true);
        if (state === connectivityState.READY) resolve("up");
        else if (state === connectivityState.TRANSIENT_FAILURE || state === connectivityState.SHUTDOWN)
          resolve("failed");
        else
          channel.watchConnectivityState(state, deadline, (error) => {
            if (error === undefined) look();
            else resolve("silent");
          });
      };
      look();
    });
  }

  /** Resolves when the channel is up. @throws {ZorError} UNAVAILABLE with the reason after `timeoutMs`. */
  ready(timeoutMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#client.waitForReady(Date.now() + timeoutMs, (error) => {
        if (error === undefined || error === null) resolve();
        else
          reject(
            unavailable(
              "NO_CONNECTION",
              this.address,
              `no connection to ${this.address} within ${timeoutMs} ms`,
              error,
            ),
          );
      });
    });
  }

  unary<Request, Response>(
    method: Method<Request, Response>,
    request: Request,
    options: CallOptions = {},
  ): Promise<Response> {
    return new Promise((resolve, reject) => {
      if (options.signal?.aborted === true) {
        reject(cancelled());
        return;
      }
      const call = this.#client.makeUnaryRequest(
        method.path,
        method.requestSerialize,
        method.responseDeserialize,
        request,
        metadataOf(options),
        { deadline: Date.now() + (options.timeoutMs ?? 15_000) },
        (error, response) => {
          options.signal?.removeEventListener("abort", onAbort);
          if (error !== null) void this.#explain(error).then(reject);
          else if (response === undefined)
            reject(unavailable("NO_RESPONSE", this.address, `${method.path} gave no response`));
          else {
            this.#peer = call.getPeer();
            resolve(response);
          }
        },
      );
      const onAbort = (): void => call.cancel();
      options.signal?.addEventListener("abort", onAbort, { once: true });
    });
  }

  /** A server stream. Leaving the loop cancels the call. */
  stream<Request, Response>(
    method: Method<Request, Response>,
    request: Request,
    options: CallOptions = {},
  ): AsyncIterable<Response> {
    return this.#open<Response>(options, (metadata, callOptions) =>
      this.#client.makeServerStreamRequest(
        method.path,
        method.requestSerialize,
        method.responseDeserialize,
        request,
        metadata,
        callOptions,
      ),
    );
  }

  /** A stream both ways. The call ends when both sides have; leaving the loop cancels it. */
  bidi<Request, Response>(
    method: Method<Request, Response>,
    requests: AsyncIterable<Request>,
    options: CallOptions = {},
  ): AsyncIterable<Response> {
    return this.#open<Response>(options, (metadata, callOptions) => {
      const call: ClientDuplexStream<Request, Response> = this.#client.makeBidiStreamRequest(
        method.path,
        method.requestSerialize,
        method.responseDeserialize,
        metadata,
        callOptions,
      );
      const stop = new AbortController();
      call.on("status", () => stop.abort());
      writeAll(call, requests, stop.signal).then(
        () => call.end(),
        // The source of requests failed: the peer must not take what came before for the whole.
        () => call.cancel(),
      );
      return call;
    });
  }

  /** Ends the channel and every call on it. */
  close(): void {
    this.#client.close();
  }

  async *#open<Response>(
    options: CallOptions,
    begin: (
      metadata: Metadata,
      callOptions: GrpcCallOptions,
    ) => ClientReadableStream<Response> | ClientDuplexStream<never, Response>,
  ): AsyncIterable<Response> {
    if (options.signal?.aborted === true) throw cancelled();
    const deadline = options.timeoutMs === undefined ? {} : { deadline: Date.now() + options.timeoutMs };
    const call = begin(metadataOf(options), deadline);
    const onAbort = (): void => call.cancel();
    options.signal?.addEventListener("abort", onAbort, { once: true });
    try {
      // The object stream of decoded messages; its type says only "stream".
      for await (const message of readAll(call as unknown as ObjectReader)) yield message as Response;
    } catch (error) {
      throw await this.#explain(error);
    } finally {
      options.signal?.removeEventListener("abort", onAbort);
      call.on("error", () => undefined);
      call.cancel();
    }
  }

  /** The error, and when it comes of a certificate's dates, what is wrong with them, on which side. */
  async #explain(error: unknown): Promise<ZorError> {
    const translated = this.#translate(error);
    if (translated.reason !== "NO_CONNECTION" || notReached.test(translated.message)) return translated;
    const { identity, serverName } = this.#options;
    const own = identity.certificatePem === "" ? undefined : certificateFacts(identity.certificatePem);
    const now = new Date();
    const mine = own === undefined ? undefined : trouble({ whose: "this side's", facts: own }, now);
    const shown = mine === undefined ? await lookAtCertificate(this.address, serverName) : undefined;
    const theirs = shown === undefined ? undefined : trouble({ whose: `${this.address}'s`, facts: shown }, now);
    const why = mine ?? theirs;
    if (why === undefined) return translated;
    return unavailable("CERTIFICATE_DATES", this.address, `cannot reach ${this.address}: ${why}`, error);
  }

  #translate(error: unknown): ZorError {
    const translated = fromServiceError(error, this.address);
    if (/^Name resolution failed/.test(translated.message)) {
      const message = `cannot reach ${this.address}: its name cannot be resolved; check it, and the machine's DNS`;
      return unavailable("NO_CONNECTION", this.address, message, error);
    }
    if (translated.code === status.DEADLINE_EXCEEDED) return inWords(translated, this.address);
    // grpc-js speaks of "No connection established" and names addresses in its own way; say it as the rest of the project does.
    if (translated.code !== status.UNAVAILABLE || translated.reason !== "UNAVAILABLE") return translated;
    return unavailable(
      "NO_CONNECTION",
      this.address,
      `cannot reach ${this.address}: ${causeOf(translated.message)}`,
      error,
    );
  }
}

// "No connection established. Last error: Error: connect ECONNREFUSED 10.0.0.1:7443. Resolution note: " without its wrapping.
function causeOf(message: string): string {
  const cause = message
    .replace(/^No connection established\. Last error: (?:Error: )?/, "")
    .replace(/\.? *Resolution note:.*$/s, "");
  return foreignWords(new Error(cause), "the connection cannot be opened");
}

// "Deadline exceeded after 2.504s,LB pick: 0.001s,remote_addr=10.0.0.1:7443" in words, without how grpc-js spent the time.
function inWords(error: ZorError, address: string): ZorError {
  const { reason, code, resource, metadata } = error;
  const message = error.message.replace(
    /^Deadline exceeded after ([\d.]+)s.*$/s,
    (_, seconds: string) => `${address} did not answer within ${Number(Number(seconds).toFixed(1))} s`,
  );
  return new ZorError({
    reason,
    code,
    message,
    metadata,
    cause: error,
    ...(resource === undefined ? {} : { resource }),
  });
}

function cancelled(): ZorError {
  return new ZorError({ reason: "CANCELLED", code: status.CANCELLED, message: "the call was cancelled" });
}

function metadataOf(options: CallOptions): Metadata {
  const metadata = new Metadata();
  for (const [key, value] of Object.entries(options.metadata ?? {})) metadata.set(key, value);
  return metadata;
}

function targetOf(address: string): string {
  if (address.startsWith("unix:")) return address;
  const family = isIP(address.slice(0, address.lastIndexOf(":")).replace(/^\[|\]$/g, ""));
  return `${family === 6 ? "ipv6" : family === 4 ? "ipv4" : "dns"}:${address}`;
}

// Node has verified the chain; the name decides which member of the fleet this is.
function checkServer(options: ConnectionOptions, certificate: PeerCertificate): Error | undefined {
  const names = (certificate.subjectaltname ?? "").split(", ");
  if (!names.includes(`DNS:${options.serverName}`)) {
    return new Error(`the certificate of ${options.address} is not for ${options.serverName}`);
  }
  if (options.serverUri !== undefined && !urisOf(certificate).includes(options.serverUri)) {
    return new Error(`the certificate of ${options.address} is not ${options.serverUri}'s`);
  }
  if (options.isRevoked?.(certificate.serialNumber) === true) {
    return new Error(`the certificate of ${options.address} has been revoked`);
  }
  return undefined;
}
