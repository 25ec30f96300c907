import { isIP } from "node:net";
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
import { findCaller } from "../auth/caller.js";
import { unavailable, ZorError } from "../errors.js";
import { certificateFacts } from "../tls/identity.js";
import { type TracedCall, traceCall } from "./call-span.js";
import { explain } from "./connection-trouble.js";
import { channelOptions } from "./limits.js";
import { type ObjectReader, readAll } from "./read-all.js";
import { type ConnectionOptions, checkServer, contextOf, placeOf } from "./server-identity.js";
import { staleKey } from "./stale-key.js";
import { writeAll } from "./write-all.js";

/** A method of a ts-proto service definition, with its message types. */
export interface Method<Request, Response> {
  readonly path: string;
  readonly requestSerialize: (value: Request) => Buffer;
  readonly responseDeserialize: (value: Buffer) => Response;
}

/** Options of every call. */
export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds until the call fails with DEADLINE_EXCEEDED. Unary default 15,000; streams have none. */
  readonly timeoutMs?: number;
  /** More metadata. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** Told when a unary answer may be old: which host did not answer, and when it was last heard. */
  readonly onStale?: (why: string) => void;
}

/** What a caller needs of a connection. */
export type Calls = Pick<Connection, "address" | "peer" | "unary" | "stream" | "bidi">;

/** A gRPC channel over mutual TLS 1.3. It connects when first used and again whenever it is lost; all errors are ZorErrors. */
export class Connection {
  readonly address: string;
  readonly #options: ConnectionOptions;
  readonly #client: Client;
  #peer: string | undefined;

  constructor(options: ConnectionOptions) {
    this.address = placeOf(options);
    this.#options = options;
    const channelCredentials = credentials.createFromSecureContext(contextOf(options.identity), {
      checkServerIdentity: (_host, certificate) => checkServer(options, certificate),
      // The default follows a variable of the environment.
      rejectUnauthorized: true,
    });
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

  /** Identity of whoever calls through it, "zor://user/ana"; empty: the certificate holds none. */
  get caller(): string {
    return findCaller(certificateFacts(this.#options.identity.certificatePem).uris)?.identity ?? "";
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
      const traced = traceCall(method.path, this.address);
      const fail = (error: ZorError): void => {
        traced.end(error);
        reject(error);
      };
      const call = this.#client.makeUnaryRequest(
        method.path,
        method.requestSerialize,
        method.responseDeserialize,
        request,
        metadataOf(options, traced),
        { deadline: Date.now() + (options.timeoutMs ?? 15_000) },
        (error, response) => {
          options.signal?.removeEventListener("abort", onAbort);
          if (error !== null) void explain(error, this.#options).then(fail);
          else if (response === undefined)
            fail(unavailable("NO_RESPONSE", this.address, `${method.path} gave no response`));
          else {
            this.#peer = call.getPeer();
            traced.end();
            resolve(response);
          }
        },
      );
      const { onStale } = options;
      if (onStale !== undefined) {
        call.on("status", ({ metadata }) => {
          const [stale] = metadata.get(staleKey);
          if (typeof stale === "string") onStale(decodeURIComponent(stale));
        });
      }
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
    return this.#open<Response>(method.path, options, (metadata, callOptions) =>
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
    return this.#open<Response>(method.path, options, (metadata, callOptions) => {
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
    this.#options.carrier?.close();
  }

  async *#open<Response>(
    path: string,
    options: CallOptions,
    begin: (
      metadata: Metadata,
      callOptions: GrpcCallOptions,
    ) => ClientReadableStream<Response> | ClientDuplexStream<never, Response>,
  ): AsyncIterable<Response> {
    if (options.signal?.aborted === true) throw cancelled();
    const deadline = options.timeoutMs === undefined ? {} : { deadline: Date.now() + options.timeoutMs };
    const traced = traceCall(path, this.address);
    const call = begin(metadataOf(options, traced), deadline);
    const onAbort = (): void => call.cancel();
    options.signal?.addEventListener("abort", onAbort, { once: true });
    try {
      // The object stream of decoded messages; its type says only "stream".
      for await (const message of readAll(call as unknown as ObjectReader)) yield message as Response;
    } catch (error) {
      const explained = await explain(error, this.#options);
      traced.end(explained);
      throw explained;
    } finally {
      traced.end();
      options.signal?.removeEventListener("abort", onAbort);
      call.on("error", () => undefined);
      call.cancel();
    }
  }
}

/** The error of a call that its caller has given up. */
export function cancelled(): ZorError {
  return new ZorError({ reason: "CANCELLED", code: status.CANCELLED, message: "the call was cancelled" });
}

function metadataOf(options: CallOptions, traced: TracedCall): Metadata {
  const metadata = new Metadata();
  for (const [key, value] of Object.entries({ ...options.metadata, ...traced.metadata })) metadata.set(key, value);
  return metadata;
}

function targetOf(address: string): string {
  if (address.startsWith("unix:")) return address;
  const family = isIP(address.slice(0, address.lastIndexOf(":")).replace(/^\[|\]$/g, ""));
  return `${family === 6 ? "ipv6" : family === 4 ? "ipv4" : "dns"}:${address}`;
}
