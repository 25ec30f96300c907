import { type ClientHttp2Stream, constants, type IncomingHttpHeaders } from "node:http2";
import { Metadata, status } from "@grpc/grpc-js";
import { ZorError } from "../errors.js";
import { BadFraming, MessageSplitter } from "./message-splitter.js";
import { inProjectWords } from "./library-words.js";
import { fromServiceError } from "./status-codec.js";

/** What a call is made with. */
export interface DirectCallOptions {
  readonly stream: ClientHttp2Stream;
  /** For messages. */
  readonly address: string;
  /** Milliseconds until it fails; undefined: never. */
  readonly timeoutMs: number | undefined;
  readonly signal: AbortSignal | undefined;
  /** Most bytes of a message. */
  readonly maxMessageBytes: number;
  /** The server has begun to answer. */
  readonly onAnswer: () => void;
  /** Takes a message, a part of what came with it. Not called after the end. */
  readonly onMessage: (message: Buffer) => void;
  /** The call is over, once: undefined is success. */
  readonly onEnd: (error: unknown) => void;
  /** Why the connection is gone; undefined: it is there. */
  readonly lost: () => ZorError | undefined;
}

/** One gRPC call on an HTTP/2 stream, seen from the client. */
export class DirectCall {
  readonly #options: DirectCallOptions;
  readonly #splitter: MessageSplitter;
  readonly #onAbort: () => void;
  readonly #timer: NodeJS.Timeout | undefined;
  #httpStatus: number | undefined;
  #trailers: IncomingHttpHeaders | undefined;
  #ended = false;

  constructor(options: DirectCallOptions) {
    this.#options = options;
    this.#splitter = new MessageSplitter(options.maxMessageBytes);
    const { stream, signal, timeoutMs, address } = options;
    this.#onAbort = () =>
      this.fail(new ZorError({ reason: "CANCELLED", code: status.CANCELLED, message: cancelledText }));
    signal?.addEventListener("abort", this.#onAbort, { once: true });
    if (timeoutMs !== undefined) {
      const seconds = Number((timeoutMs / 1000).toFixed(1));
      const message = `${address} did not answer within ${seconds} s`;
      const late = { reason: "DEADLINE_EXCEEDED", code: status.DEADLINE_EXCEEDED, message, resource: address };
      this.#timer = setTimeout(() => this.fail(new ZorError(late)), timeoutMs);
    }
    stream.on("response", (headers, flags) => this.#onHeaders(headers, flags));
    stream.on("trailers", (headers) => {
      this.#trailers = headers;
    });
    stream.on("data", (chunk: Buffer) => this.#onData(chunk));
    // Comes with "close", which tells the rest.
    stream.on("error", () => undefined);
    stream.on("end", () => {
      if (this.#trailers !== undefined) this.#finish(this.#errorOfTrailers(this.#trailers));
    });
    stream.on("close", () => {
      if (this.#trailers !== undefined) this.#onClose();
      // What is wrong with the connection is told after its streams are closed.
      else setImmediate(() => this.#onClose());
    });
  }

  /** Ends the call with an error, also at the server. */
  fail(error: unknown): void {
    if (this.#ended) return;
    this.#finish(error);
    this.#options.stream.close(constants.NGHTTP2_CANCEL);
  }

  #onHeaders(headers: IncomingHttpHeaders & { readonly ":status"?: number | undefined }, flags: number): void {
    this.#httpStatus = headers[":status"];
    this.#options.onAnswer();
    if ((flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0) this.#trailers = headers;
  }

  #onData(chunk: Buffer): void {
    if (this.#ended) return;
    try {
      this.#splitter.push(chunk, (message) => {
        if (!this.#ended) this.#options.onMessage(message);
      });
    } catch (error) {
      const code = error instanceof BadFraming ? status.RESOURCE_EXHAUSTED : status.INTERNAL;
      const message = error instanceof BadFraming ? error.message : "a message could not be read";
      this.fail(new ZorError({ reason: status[code], code, message, resource: this.#options.address, cause: error }));
    }
  }

  #onClose(): void {
    if (this.#ended) return;
    if (this.#trailers !== undefined) this.#finish(this.#errorOfTrailers(this.#trailers));
    else this.#finish(this.#options.lost() ?? this.#errorOfReset());
  }

  #finish(error: unknown): void {
    if (this.#ended) return;
    this.#ended = true;
    clearTimeout(this.#timer);
    this.#options.signal?.removeEventListener("abort", this.#onAbort);
    this.#options.onEnd(error);
  }

  #errorOfTrailers(trailers: IncomingHttpHeaders): unknown {
    const { address } = this.#options;
    const text = textOf(trailers, "grpc-status");
    if (text === "0" && !this.#splitter.isPartial) return undefined;
    const known = /^\d{1,2}$/.test(text) && text !== "0" && status[Number(text)] !== undefined;
    // What has no status is not of a gRPC server.
    const code = known ? Number(text) : codeOfHttp(this.#httpStatus);
    const details = known ? decodeMessage(textOf(trailers, "grpc-message")) : noGrpc(this.#httpStatus);
    const metadata = Metadata.fromHttp2Headers(trailers);
    return inProjectWords(
      fromServiceError(Object.assign(new Error(details), { code, details, metadata }), address),
      address,
    );
  }

  #errorOfReset(): ZorError {
    const { address, stream } = this.#options;
    const [code, message] = meaningOfReset(stream.rstCode ?? constants.NGHTTP2_NO_ERROR);
    return new ZorError({ reason: status[code], code, message: `${address}: ${message}`, resource: address });
  }
}

const cancelledText = "the call was cancelled";

/** gRPC over HTTP/2, "HTTP2 Transport Mapping, Errors". */
function meaningOfReset(code: number): readonly [status, string] {
  switch (code) {
    case constants.NGHTTP2_NO_ERROR:
      return [status.INTERNAL, "the call ended without saying how"];
    case constants.NGHTTP2_REFUSED_STREAM:
      return [status.UNAVAILABLE, "the call was refused"];
    case constants.NGHTTP2_CANCEL:
      return [status.CANCELLED, cancelledText];
    case constants.NGHTTP2_ENHANCE_YOUR_CALM:
      return [status.RESOURCE_EXHAUSTED, "the call was cut off for what it costs"];
    case constants.NGHTTP2_INADEQUATE_SECURITY:
      return [status.PERMISSION_DENIED, "the connection is not secure enough"];
    default:
      return [status.INTERNAL, `the call was reset with code ${code}`];
  }
}

/** gRPC, "HTTP to gRPC Status Code Mapping". */
function codeOfHttp(httpStatus: number | undefined): status {
  switch (httpStatus) {
    case 400:
      return status.INTERNAL;
    case 401:
      return status.UNAUTHENTICATED;
    case 403:
      return status.PERMISSION_DENIED;
    case 404:
      return status.UNIMPLEMENTED;
    case 429:
    case 502:
    case 503:
    case 504:
      return status.UNAVAILABLE;
    default:
      return status.UNKNOWN;
  }
}

function noGrpc(httpStatus: number | undefined): string {
  return httpStatus === undefined
    ? "the call ended without an answer"
    : `the answer is not gRPC: HTTP status ${httpStatus}`;
}

/** A header that stands once. */
function textOf(headers: IncomingHttpHeaders, name: string): string {
  const value = headers[name];
  return typeof value === "string" ? value : "";
}

/** Messages are percent-encoded. */
function decodeMessage(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
