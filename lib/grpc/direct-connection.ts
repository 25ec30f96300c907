import { type ClientHttp2Session, type ClientHttp2Stream, connect as connectHttp2 } from "node:http2";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { unavailable, ZorError } from "../errors.js";
import { version } from "../program.js";
import { formatHostPort, parseHostPort } from "../socket-address.js";
import { traceCall } from "./call-span.js";
import { type CallOptions, type Calls, cancelled, type Method } from "./connection.js";
import { carried, lostConnection, withDates } from "./connection-trouble.js";
import { DirectCall, type DirectCallOptions } from "./direct-call.js";
import { maxMessageBytes } from "./limits.js";
import { framed } from "./message-splitter.js";
import { type CheckedCertificate, type ConnectionOptions, checkServer, contextOf, placeOf } from "./server-identity.js";
import { writeAll } from "./write-all.js";

type Handlers = Pick<DirectCallOptions, "onMessage" | "onEnd">;
interface Begun {
  readonly call: DirectCall;
  readonly stream: ClientHttp2Stream;
}

const unaryTimeoutMs = 15_000;
/** MiB that one peer may make this process hold before the connection ends. */
const maxSessionMemory = 32;
/**
 * Bytes that the server may send ahead on a stream: few until it has sent much, or a stream both ways begins. What comes at once is read at
 * once, in one turn of the loop, and into memory that is kept for as long as there is a connection.
 */
const [narrowWindow, wideWindow, muchBytes] = [16 * 1024, 64 * 1024, 128 * 1024];
const userAgent = `zor/${version}`;

/**
 * One connection over mutual TLS 1.3 on which gRPC calls are made. It connects with its first call, once: when it is lost, every call
 * fails, and whoever wants another makes another. What a channel does besides (names that are looked up again, balancing, retries, several
 * addresses) costs more memory and time than the connection itself, and a hub has thousands. Nothing is sent to keep it alive.
 */
export class DirectConnection implements Calls {
  readonly address: string;
  readonly #options: ConnectionOptions;
  #session: ClientHttp2Session | undefined;
  #socket: TLSSocket | undefined;
  #peer: string | undefined;
  #isWide = false;
  #received = 0;
  /** The server has answered a call: it takes this side's certificate. */
  #isAnswered = false;
  /** What the socket said when it failed. */
  #trouble: unknown;
  #lost: ZorError | undefined;

  constructor(options: ConnectionOptions) {
    this.address = placeOf(options);
    this.#options = options;
  }

  /** "ip:port" of the server; the address while there is no connection. */
  get peer(): string {
    return this.#peer ?? this.address;
  }

  unary<Request, Response>(
    method: Method<Request, Response>,
    request: Request,
    options: CallOptions = {},
  ): Promise<Response> {
    // Before the call begins: of one that cannot be written nothing may be left that fails later.
    const frame = framed(method.requestSerialize(request));
    const { promise, resolve, reject } = Promise.withResolvers<Response>();
    const traced = traceCall(method.path, this.peer);
    const fail = (error: ZorError): void => {
      traced.end(error);
      reject(error);
    };
    let answer: { readonly value: Response } | undefined;
    const begun = this.#begin(
      method.path,
      { timeoutMs: unaryTimeoutMs, ...options, metadata: { ...options.metadata, ...traced.metadata } },
      {
        onMessage: (message) => {
          answer = { value: method.responseDeserialize(message) };
        },
        onEnd: (error) => {
          if (error !== undefined) void this.#explain(error).then(fail);
          else if (answer !== undefined) {
            traced.end();
            resolve(answer.value);
          } else fail(unavailable("NO_RESPONSE", this.address, `${method.path} gave no response`));
        },
      },
    );
    begun?.stream.end(frame);
    return promise;
  }

  /**
   * A server stream of which each message is taken in the turn of the loop in which it comes. Resolves when the server ends it.
   * @throws {ZorError} what ended it otherwise, or what `take` throws.
   */
  read<Request, Response>(
    method: Method<Request, Response>,
    request: Request,
    options: CallOptions & { readonly take: (message: Response) => void },
  ): Promise<void> {
    const frame = framed(method.requestSerialize(request));
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const begun = this.#begin(method.path, options, {
      onMessage: (message) => options.take(method.responseDeserialize(message)),
      onEnd: (error) => {
        if (error === undefined) resolve();
        else void this.#explain(error).then(reject);
      },
    });
    begun?.stream.end(frame);
    return promise;
  }

  stream<Request, Response>(
    method: Method<Request, Response>,
    request: Request,
    options: CallOptions = {},
  ): AsyncIterable<Response> {
    const frame = framed(method.requestSerialize(request));
    return this.#messages(method, options, ({ stream }) => {
      stream.end(frame);
    });
  }

  bidi<Request, Response>(
    method: Method<Request, Response>,
    requests: AsyncIterable<Request>,
    options: CallOptions = {},
  ): AsyncIterable<Response> {
    return this.#messages(method, options, ({ call, stream }) => {
      this.#widen();
      const stop = new AbortController();
      stream.once("close", () => stop.abort());
      const frames = (async function* () {
        for await (const request of requests) yield framed(method.requestSerialize(request));
      })();
      writeAll(stream, frames, stop.signal).then(
        () => stream.end(),
        // The source of requests failed: the peer must not take what came before for the whole.
        () => call.fail(cancelled()),
      );
    });
  }

  /** Ends it, and every call on it. Idempotent. */
  close(): void {
    this.#lost ??= cancelled();
    this.#session?.destroy();
    this.#socket?.destroy();
  }

  /** Messages as they are asked for: of those that have come at once, the next ones wait at the server. Leaving the loop cancels the call. */
  async *#messages<Request, Response>(
    method: Method<Request, Response>,
    options: CallOptions,
    send: (begun: Begun) => void,
  ): AsyncIterable<Response> {
    const waiting: Response[] = [];
    const traced = traceCall(method.path, this.peer);
    const metadata = { ...options.metadata, ...traced.metadata };
    let end: { readonly error: unknown } | undefined;
    let wake: () => void = () => undefined;
    const begun = this.#begin(
      method.path,
      { ...options, metadata },
      {
        onMessage: (message) => {
          waiting.push(method.responseDeserialize(message));
          begun?.stream.pause();
          wake();
        },
        onEnd: (error) => {
          end = { error };
          wake();
        },
      },
    );
    if (begun !== undefined) send(begun);
    try {
      for (;;) {
        const next = waiting.shift();
        if (next !== undefined) {
          yield next;
          if (waiting.length === 0) begun?.stream.resume();
        } else if (end !== undefined) {
          if (end.error === undefined) return;
          const explained = await this.#explain(end.error);
          traced.end(explained);
          throw explained;
        } else {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
      }
    } finally {
      traced.end();
      begun?.call.fail(cancelled());
    }
  }

  #widen(): void {
    if (this.#isWide || this.#findLost() !== undefined) return;
    this.#isWide = true;
    this.#session?.settings({ initialWindowSize: wideWindow });
  }

  /** Begins a call; undefined: it has ended already. */
  #begin(path: string, options: CallOptions, handlers: Handlers): Begun | undefined {
    const { timeoutMs, signal, metadata } = options;
    try {
      if (signal?.aborted === true) throw cancelled();
      const stream = this.#open().request({
        ...metadata,
        ":method": "POST",
        ":path": path,
        te: "trailers",
        "content-type": "application/grpc",
        "user-agent": userAgent,
        ...(timeoutMs === undefined ? {} : { "grpc-timeout": `${Math.max(1, Math.ceil(timeoutMs))}m` }),
      });
      const call = new DirectCall({
        ...handlers,
        onMessage: (message) => {
          this.#received += message.length;
          if (this.#received > muchBytes) this.#widen();
          handlers.onMessage(message);
        },
        ...{ stream, signal, timeoutMs, maxMessageBytes },
        address: this.address,
        onAnswer: () => {
          this.#isAnswered = true;
        },
        lost: () => this.#findLost(),
      });
      return { call, stream };
    } catch (error) {
      handlers.onEnd(this.#findLost() ?? (error instanceof ZorError ? error : lostConnection(this.address, error)));
      return undefined;
    }
  }

  #open(): ClientHttp2Session {
    if (this.#lost !== undefined) throw this.#lost;
    if (this.#session !== undefined) return this.#session;
    const { identity, serverName } = this.#options;
    const socket = withoutPool(() =>
      connectTls({
        ...dialled(this.#options.address),
        secureContext: contextOf(identity),
        servername: serverName,
        ALPNProtocols: ["h2"],
        rejectUnauthorized: true,
        checkServerIdentity: (_host, certificate) => checkServer(this.#options, certificate),
      }),
    );
    socket.setNoDelay(true);
    // Node asks for it once, for checkServerIdentity, and makes an object of the whole chain, which takes a tenth of all that connecting does.
    Object.defineProperty(socket, "getPeerCertificate", { value: () => shownCertificate(socket) });
    socket.once("secureConnect", () => {
      if (socket.alpnProtocol !== "h2") socket.destroy(new Error("it does not speak HTTP/2"));
      const { remoteAddress, remotePort } = socket;
      if (remoteAddress !== undefined) this.#peer = formatHostPort({ host: remoteAddress, port: remotePort ?? 0 });
    });
    const session = connectHttp2(`https://${serverName}`, {
      createConnection: () => socket,
      settings: { enablePush: false, initialWindowSize: narrowWindow },
      maxSessionMemory,
    });
    const note = (error: unknown): void => {
      this.#trouble ??= error;
    };
    socket.on("error", note);
    session.on("error", note);
    this.#socket = socket;
    this.#session = session;
    return session;
  }

  /** Why the connection is gone; undefined: it is there. */
  #findLost(): ZorError | undefined {
    if (this.#session?.destroyed === true || this.#session?.closed === true)
      this.#lost ??= lostConnection(this.address, this.#trouble);
    return this.#lost;
  }

  async #explain(error: unknown): Promise<ZorError> {
    const { carrier } = this.#options;
    if (carrier?.trouble !== undefined) return carried(carrier.trouble, this.#options);
    const known = error instanceof ZorError ? error : lostConnection(this.address, error);
    return this.#isAnswered ? known : withDates(known, this.#options);
  }
}

/** Of a server's certificate what {@link checkServer} looks at. */
function shownCertificate(socket: TLSSocket): CheckedCertificate {
  const certificate = socket.getPeerX509Certificate();
  return { subjectaltname: certificate?.subjectAltName ?? "", serialNumber: certificate?.serialNumber ?? "" };
}

/** A socket keeps the list of its protocols, three bytes; from the pool of small Buffers they would keep 64 KiB alive for each socket. */
function withoutPool<Made>(make: () => Made): Made {
  const { poolSize } = Buffer;
  Buffer.poolSize = 0;
  try {
    return make();
  } finally {
    Buffer.poolSize = poolSize;
  }
}

function dialled(address: string) {
  if (address.startsWith("unix:")) return { path: address.slice("unix:".length) };
  const place = parseHostPort(address);
  if (place === undefined) throw unavailable("NO_CONNECTION", address, `${address} is not an address`);
  return place;
}
