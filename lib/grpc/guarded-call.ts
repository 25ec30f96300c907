import type { ServerHttp2Stream } from "node:http2";
import { Metadata, ServerInterceptingCall, type ServerInterceptingCallInterface, status } from "@grpc/grpc-js";
import { resourceExhausted, ZorError } from "../errors.js";
import { Frames } from "./frames.js";
import { MessageMeter } from "./message-meter.js";
import { toServiceError } from "./status-codec.js";

/** How long a call may keep what it holds waiting. */
export interface CallTimes {
  /** For a message to arrive or to be taken, in ms, and more for large ones: so many bytes in a second. */
  readonly messageMs: number;
  readonly bytesPerSecond: number;
  /** For a message to be taken by the reader of a stream both ways: a person may have stopped a terminal. */
  readonly interactiveMs: number;
  /** For the peer to take note of the end. */
  readonly endMs: number;
}

/** What a call is guarded with. */
export interface GuardedCallOptions {
  /** The rpc's path. */
  readonly method: string;
  readonly requestStream: boolean;
  readonly responseStream: boolean;
  readonly times: CallTimes;
  /** The clock of {@link GuardedCall.look}, in ms: time in which this process could not read counts against nobody. */
  readonly now: () => number;
  /** Runs `begin` when it is the caller's turn; returns how to leave the queue. Throws to refuse the call. */
  readonly enter: (metadata: Metadata, begin: () => void) => () => void;
  /** Like `enter`, for a further message of that many bytes. */
  readonly enterMessage: (bytes: number, begin: () => void) => () => void;
  /** Told when a message was given to the connection and waits. */
  readonly onQueued: () => void;
}

/** What a message costs besides its bytes, as bytes. */
const bytesPerMessage = 4096;
/** A stream sends so much before it waits for its turn. */
const owedAtMost = 64 * 1024;

/**
 * A call of grpc-js that begins when it is its caller's turn and is ended when its peer is too slow: to send a message, to take one, or
 * to take note that the call is over. {@link look} is to be called about once a second.
 */
export class GuardedCall extends ServerInterceptingCall {
  readonly stream: ServerHttp2Stream;
  readonly #options: GuardedCallOptions;
  readonly #meter: MessageMeter;
  #leave: (() => void) | undefined;
  #messages = 0;
  /** Since when a message waits to be taken. */
  #sendingSinceMs: number | undefined;
  /** Milliseconds for which an incomplete message was waited for. */
  #awaitedMs = 0;
  #lookedMs: number;
  #halfClosed = false;
  #endedMs: number | undefined;
  #evicted = false;
  /** What was sent since it was last the caller's turn, in bytes. */
  #owed = 0;
  /** The last message that the peer's connection took. */
  #sent: unknown;

  constructor(base: ServerInterceptingCallInterface, options: GuardedCallOptions) {
    super(base, {
      start: (next) =>
        next({
          onReceiveMetadata: (metadata, proceed) => this.#begin(metadata, proceed),
          onReceiveMessage: (message, proceed) => this.#receive(message, proceed),
          onReceiveHalfClose: (proceed) => {
            this.#halfClosed = true;
            proceed();
          },
          onCancel: () => this.#leave?.(),
        }),
    });
    // grpc-js gives interceptors no way to the HTTP/2 stream of a call, on which alone it can be seen what is under way.
    this.stream = (base as unknown as { readonly stream: ServerHttp2Stream }).stream;
    this.#options = options;
    this.#lookedMs = options.now();
    this.#meter = new MessageMeter();
    this.stream.on("data", (chunk: Buffer) => this.#meter.received(chunk));
  }

  override sendMessage(message: unknown, callback: () => void): void {
    if (this.#evicted) return;
    this.#sendingSinceMs = this.#options.now();
    const before = this.queuedBytes;
    const taken = (): void => {
      this.#sendingSinceMs = undefined;
      // Of what was sent only the position matters any more.
      this.#sent = message instanceof Frames ? { position: message.position } : message;
      this.#proceed(callback);
    };
    if (message instanceof Frames) this.#sendFrames(message, taken);
    else super.sendMessage(message, taken);
    this.#owed += bytesPerMessage + this.queuedBytes - before;
    if (this.queuedBytes > 0) this.#options.onQueued();
  }

  override sendStatus(value: Parameters<ServerInterceptingCallInterface["sendStatus"]>[0]): void {
    if (this.#evicted) return;
    this.#endedMs ??= this.#options.now();
    super.sendStatus(value);
  }

  /** grpc-js takes one message at a time, and waits until the connection has taken it. */
  #sendFrames({ bytes, onSent }: Frames, taken: () => void): void {
    super.sendMetadata(new Metadata());
    // Whose stream is gone is told so by its call.
    if (this.stream.destroyed || this.stream.closed) return;
    this.stream.write(bytes, (error) => {
      if (error !== undefined && error !== null) return;
      onSent?.();
      taken();
    });
  }

  /** Bytes that wait in this process to be taken by the peer. */
  get queuedBytes(): number {
    return this.stream.writableLength;
  }

  /** Bytes of all messages, their five bytes of framing included, that have come. */
  get receivedBytes(): number {
    return this.#meter.bytes;
  }

  /** When a message began to wait to be taken. */
  get sendingSinceMs(): number {
    return this.#sendingSinceMs ?? Number.POSITIVE_INFINITY;
  }

  /** Ends the call if its peer has been too slow. */
  look(nowMs: number): void {
    const elapsedMs = nowMs - this.#lookedMs;
    this.#lookedMs = nowMs;
    const { times, requestStream, responseStream } = this.#options;
    const allowed = (leastMs: number, bytes: number): number => leastMs + (bytes / times.bytesPerSecond) * 1000;
    if (this.#endedMs !== undefined) {
      // What was to be taken before the end counts as a message.
      const from = this.#sendingSinceMs ?? this.#endedMs;
      const leastMs = this.#evicted || this.queuedBytes === 0 ? times.endMs : times.messageMs;
      if (nowMs - Math.max(from, this.#endedMs) > allowed(leastMs, this.queuedBytes)) this.#cut();
      return;
    }
    const isInteractive = requestStream && responseStream;
    const takeMs = allowed(isInteractive ? times.interactiveMs : times.messageMs, this.queuedBytes);
    if (nowMs - this.sendingSinceMs > takeMs) {
      this.evict(tooSlowReader(this.#options.method, this.#sent));
      return;
    }
    const awaits = this.#meter.isPartial || (requestStream ? this.#messages === 0 : !this.#halfClosed);
    // A paused stream waits for us, not for the peer.
    this.#awaitedMs =
      !awaits || this.#meter.takeCompleted() ? 0 : this.#awaitedMs + (this.stream.isPaused() ? 0 : elapsedMs);
    if (this.#awaitedMs > allowed(times.messageMs, this.#meter.announced))
      this.evict(tooSlowSender(this.#options.method));
  }

  /** Ends the call with an error, which the peer has a moment to take; then it is cut. */
  evict(error: ZorError): void {
    if (this.#evicted) return;
    this.sendStatus(toServiceError(error));
    this.#endedMs = this.#options.now();
    this.#evicted = true;
  }

  /** Like {@link evict}, without the moment: what waits is freed at once. */
  drop(error: ZorError): void {
    this.evict(error);
    this.#cut();
  }

  /** Streams go on at once for a while, and then when it is the caller's turn again. */
  #proceed(callback: () => void): void {
    if (!this.#options.responseStream || this.#owed < owedAtMost) {
      callback();
      return;
    }
    const owed = this.#owed;
    this.#owed = 0;
    this.#leave = this.#options.enterMessage(owed, callback);
  }

  #begin(metadata: Metadata, proceed: (metadata: Metadata) => void): void {
    try {
      this.#leave = this.#options.enter(metadata, () => proceed(metadata));
    } catch (error) {
      super.sendStatus(toServiceError(error));
      this.#endedMs = this.#options.now();
      this.#evicted = true;
    }
  }

  #receive(message: unknown, proceed: (message: unknown) => void): void {
    this.#messages += 1;
    this.#leave = this.#options.enterMessage(this.#messages === 1 ? 0 : this.#meter.lastBytes, () => proceed(message));
  }

  #cut(): void {
    const { NGHTTP2_NO_ERROR, NGHTTP2_ENHANCE_YOUR_CALM } = http2Codes;
    // With an error code it does not wait for what is queued.
    this.stream.close(this.#evicted || this.queuedBytes > 0 ? NGHTTP2_ENHANCE_YOUR_CALM : NGHTTP2_NO_ERROR);
  }
}

/** RFC 9113, section 7. */
const http2Codes = { NGHTTP2_NO_ERROR: 0, NGHTTP2_ENHANCE_YOUR_CALM: 11 } as const;

function tooSlowReader(method: string, last: unknown): ZorError {
  const position = positionOf(last);
  return new ZorError({
    reason: position === undefined ? "READER_TOO_SLOW" : "WATCH_TOO_SLOW",
    code: status.RESOURCE_EXHAUSTED,
    message: `${method}: what was sent was not read in time; ${position === undefined ? "read faster" : "resume from the last position"}`,
    metadata: position ?? {},
  });
}

function tooSlowSender(method: string): ZorError {
  return new ZorError({
    reason: "MESSAGE_TOO_SLOW",
    code: status.DEADLINE_EXCEEDED,
    message: `${method}: the request did not arrive in time; send it faster, or look at the connection`,
  });
}

/** Where a watch resumes, read off its last message. */
function positionOf(message: unknown): Record<string, string> | undefined {
  if (typeof message !== "object" || message === null || !("position" in message)) return undefined;
  const { position } = message;
  if (typeof position !== "object" || position === null || !("epoch" in position) || !("revision" in position)) {
    return undefined;
  }
  return { epoch: String(position.epoch), revision: String(position.revision) };
}

/** The error of a caller that keeps more waiting than it may. */
export function tooMuchQueued(limitMib: number): ZorError {
  return resourceExhausted(
    "TOO_MUCH_QUEUED",
    `more than ${limitMib} MiB wait to be read by this caller; the call that has waited longest was ended: read faster`,
  );
}
