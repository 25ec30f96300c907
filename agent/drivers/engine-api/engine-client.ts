import { type ClientRequest, request as httpRequest, type IncomingMessage } from "node:http";
import type { Duplex, Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { z } from "zod";
import { EngineError, unanswered, unreachable } from "./engine-error.js";

/** A call to an engine. */
export interface EngineRequest {
  readonly method: "GET" | "POST" | "DELETE" | "HEAD";
  /** Path below the version, "/containers/json"; what is variable in it must be encoded. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  /** Instead of the version, for calls that an engine has of its own. */
  readonly prefix?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON, or as it is when it is a stream. */
  readonly body?: object | Readable;
  readonly signal: AbortSignal;
  /** Longest wait for the answer's beginning, in milliseconds; default 10,000. */
  readonly deadlineMs?: number;
}

const defaultDeadlineMs = 10_000;
/** An engine that is asked whether it is there needs no work for the answer. */
const pingMs = 3000;
const maxJsonBytes = 16 * 1024 * 1024;
const maxErrorBytes = 64 * 1024;
/** Newest version of the API that is spoken here; engines translate for older clients. */
const newest = [1, 47] as const;

/**
 * The API of Docker Engine (docs.docker.com/reference/api/engine) on a unix socket; podman's service answers to it as well. Every
 * call has a deadline. Once an engine has let one pass and does not answer to a ping either, calls fail at once until it
 * answers again: no instance waits for what another has waited for already.
 */
export class EngineClient {
  readonly product: string;
  readonly #socketPath: string;
  #version: Promise<string> | undefined;
  #silent: { readonly sinceMs: number; readonly waiting: AbortController } | undefined;
  #probing: Promise<void> | undefined;
  #onReturn: () => void = () => undefined;

  /** @param options.product word of the engine: "docker". */
  constructor(options: { readonly socketPath: string; readonly product: string }) {
    this.#socketPath = options.socketPath;
    this.product = options.product;
  }

  /** @param told each time when an engine that did not answer does again. */
  onReturn(told: () => void): void {
    this.#onReturn = told;
  }

  /** Lets go of what waits for an engine that does not answer. */
  close(): void {
    this.#silent?.waiting.abort();
    this.#silent = undefined;
  }

  /** Resolves when the engine answers; asked at once by many, it is asked once. @throws {ZorError} UNAVAILABLE */
  ping(signal: AbortSignal): Promise<void> {
    this.#probing ??= this.#probe().finally(() => {
      this.#probing = undefined;
    });
    return unlessAborted(this.#probing, signal);
  }

  /** A call that answers in JSON. @throws {EngineError} @throws {ZorError} UNAVAILABLE */
  async json<S extends z.ZodType>(request: EngineRequest, schema: S): Promise<z.output<S>> {
    const response = await this.stream(request);
    const text = await readBounded(response, maxJsonBytes);
    try {
      return schema.parse(JSON.parse(text));
    } catch (error) {
      throw new Error(`${this.product} answered ${request.method} ${request.path} with something unknown`, {
        cause: error,
      });
    }
  }

  /** A call whose answer says nothing. Its status is returned: 304 is no error. @throws {EngineError} @throws {ZorError} UNAVAILABLE */
  async call(request: EngineRequest): Promise<number> {
    const response = await this.stream(request);
    response.resume();
    return response.statusCode ?? 0;
  }

  /** A call whose answer is read as it comes. @throws {EngineError} @throws {ZorError} UNAVAILABLE */
  async stream(request: EngineRequest): Promise<IncomingMessage> {
    const answer = await this.#send(request, request.prefix ?? (await this.#prefix(request.signal)));
    if (answer.type === "response") return answer.response;
    answer.socket.destroy();
    throw new Error(`${this.product} changed the protocol of ${request.path} unasked`);
  }

  /** A call that turns its connection into one of bytes both ways. @throws {EngineError} @throws {ZorError} UNAVAILABLE */
  async hijack(request: EngineRequest): Promise<Duplex> {
    const headers = { ...request.headers, Connection: "Upgrade", Upgrade: "tcp" };
    const answer = await this.#send({ ...request, headers }, await this.#prefix(request.signal));
    if (answer.type === "socket") return answer.socket;
    answer.response.destroy();
    throw new Error(`${this.product} does not give bytes both ways for ${request.path}`);
  }

  /** "/v1.41": the newest version that both speak. */
  async #prefix(signal: AbortSignal): Promise<string> {
    signal.throwIfAborted();
    this.#version ??= this.#findVersion();
    const asked = this.#version;
    // Another caller's going must not lose the answer; a failure is not kept.
    asked.catch(() => {
      if (this.#version === asked) this.#version = undefined;
    });
    return unlessAborted(asked, signal);
  }

  async #findVersion(): Promise<string> {
    const request = {
      method: "GET",
      path: "/_ping",
      signal: new AbortController().signal,
      deadlineMs: pingMs,
    } as const;
    const answer = await this.#send(request, "");
    if (answer.type !== "response") throw new Error(`${this.product} does not speak HTTP`);
    answer.response.resume();
    const theirs = /^(\d{1,3})\.(\d{1,4})$/.exec([answer.response.headers["api-version"] ?? ""].flat()[0] ?? "");
    if (theirs === null) throw new Error(`${this.product} does not tell the version of its API`);
    const minor = Number(theirs[1]) === newest[0] ? Math.min(Number(theirs[2]), newest[1]) : newest[1];
    return `/v${newest[0]}.${minor}`;
  }

  async #ping(signal: AbortSignal, deadlineMs: number): Promise<void> {
    const answer = await this.#exchange({ method: "GET", path: "/_ping", signal, deadlineMs }, "");
    if (answer.type === "response") answer.response.resume();
  }

  async #send(request: EngineRequest, prefix: string): Promise<Answer> {
    if (this.#silent !== undefined) throw unanswered(this.product, performance.now() - this.#silent.sinceMs);
    try {
      return await this.#exchange(request, prefix);
    } catch (error) {
      // Is the engine at fault, or was it a long call?
      if (isSilence(error)) await this.ping(new AbortController().signal).catch(() => undefined);
      // Another engine may listen there next.
      else if (!(error instanceof EngineError)) this.#version = undefined;
      throw error;
    }
  }

  /** An engine that does not even answer to a ping is asked nothing more before it does. */
  async #probe(): Promise<void> {
    if (this.#silent !== undefined) throw unanswered(this.product, performance.now() - this.#silent.sinceMs);
    try {
      await this.#ping(new AbortController().signal, pingMs);
    } catch (error) {
      if (isSilence(error)) {
        const waiting = new AbortController();
        this.#silent = { sinceMs: performance.now() - pingMs, waiting };
        void this.#waitForAnswer(waiting.signal);
      }
      throw error;
    }
  }

  /** One question that waits as long as it takes: no poll. */
  async #waitForAnswer(signal: AbortSignal): Promise<void> {
    // Answered or broken off: either way calls find out what is next by themselves.
    await this.#ping(signal, Number.POSITIVE_INFINITY).catch(() => undefined);
    if (signal.aborted) return;
    this.#silent = undefined;
    this.#onReturn();
  }

  #exchange(request: EngineRequest, prefix: string): Promise<Answer> {
    const { method, path, query = {}, body, signal, deadlineMs = defaultDeadlineMs } = request;
    signal.throwIfAborted();
    const search = new URLSearchParams(query).toString();
    const isStream = body !== undefined && "pipe" in body;
    const text = body === undefined || isStream ? undefined : JSON.stringify(body);
    const headers = {
      Host: "engine",
      ...(text === undefined ? {} : { "Content-Type": "application/json", "Content-Length": Buffer.byteLength(text) }),
      ...(isStream ? { "Content-Type": "application/x-tar" } : {}),
      ...request.headers,
    };
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    const target = `${prefix}${path}${search === "" ? "" : `?${search}`}`;
    // A connection for each call: on this machine they cost nothing, and none is there that the engine may have closed.
    const client = httpRequest({ socketPath: this.#socketPath, agent: false, method, path: target, headers, signal });
    const timer = Number.isFinite(deadlineMs)
      ? setTimeout(() => client.destroy(new Silence(unanswered(this.product, deadlineMs))), deadlineMs)
      : undefined;
    timer?.unref();
    client.on("error", (error) => {
      clearTimeout(timer);
      reject(this.#asError(error, signal));
    });
    client.on("response", (response) => {
      clearTimeout(timer);
      void this.#readResponse(response).then(
        (answer) => resolve(answer),
        (error: unknown) => reject(error),
      );
    });
    client.on("upgrade", (_response, socket, head) => {
      clearTimeout(timer);
      if (head.length > 0) socket.unshift(head);
      resolve({ type: "socket", socket });
    });
    void sendBody(client, isStream ? body : text);
    return promise;
  }

  async #readResponse(response: IncomingMessage): Promise<Answer> {
    // A reader that is given up must not become an error of nobody's.
    response.on("error", () => undefined);
    const { statusCode = 0 } = response;
    if (statusCode < 400) return { type: "response", response };
    const text = await readBounded(response, maxErrorBytes).catch(() => "");
    throw new EngineError(statusCode, wordsOf(text) || `HTTP status ${statusCode}`);
  }

  #asError(error: Error, signal: AbortSignal): unknown {
    if (error instanceof Silence) return error.failure;
    if (signal.aborted) return new DOMException("the call was given up", "AbortError");
    const code = "code" in error && typeof error.code === "string" ? error.code : error.message;
    return unreachable(this.product, code, error);
  }
}

type Answer =
  | { readonly type: "response"; readonly response: IncomingMessage }
  | { readonly type: "socket"; readonly socket: Duplex };

/** Carries what is to be said through the destruction of a request. */
class Silence extends Error {
  readonly failure: Error;

  constructor(failure: Error) {
    super(failure.message);
    this.failure = failure;
  }
}

/** Whether an error says that the engine did not answer in time. */
function isSilence(error: unknown): boolean {
  return error instanceof Error && "reason" in error && error.reason === "ENGINE_SILENT";
}

async function sendBody(client: ClientRequest, body: string | Readable | undefined): Promise<void> {
  if (body === undefined || typeof body === "string") {
    client.end(body);
    return;
  }
  // An engine that refuses what it is sent answers and closes: the answer counts.
  await pipeline(body, client).catch((error: unknown) => {
    if (!client.writableFinished && error instanceof Error && !client.destroyed) client.destroy(error);
  });
}

async function readBounded(stream: Readable, limit: number): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stream) {
    const data = Buffer.from(chunk);
    size += data.length;
    if (size > limit) throw new Error(`an engine's answer is longer than ${limit} bytes`);
    chunks.push(data);
  }
  return Buffer.concat(chunks).toString();
}

/** What an engine's error says: {"message": "..."}, and podman also why. */
function wordsOf(text: string): string {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null && "message" in value) return String(value.message);
  } catch {
    // Not JSON: it is said as it is.
  }
  return text.trim();
}

/** Waits for what others wait for too, no longer than this caller does. */
async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const give = (): void => reject(new DOMException("the call was given up", "AbortError"));
  if (signal.aborted) give();
  signal.addEventListener("abort", give, { once: true });
  try {
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener("abort", give);
  }
}
