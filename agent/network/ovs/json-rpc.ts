import { createConnection, type Socket } from "node:net";
import { unavailable } from "../../../lib/errors.js";
import { JsonSplitter } from "./json-splitter.js";
import { toldOf } from "../../host/told.js";

/** The other side refused a request. */
export class JsonRpcError extends Error {
  override readonly name = "JsonRpcError";
}

/** How to connect. */
export interface JsonRpcOptions {
  /** Who is at the other side, for errors: "the switch's database". */
  readonly peer: string;
  /** Longest wait for the connection and for each answer, in milliseconds; default 10,000. */
  readonly timeoutMs?: number;
  /** Told what comes without having been asked for: method and parameters. */
  readonly onNotice?: (method: string, params: readonly unknown[]) => void;
}

interface Waiter {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: unknown) => void;
  readonly timer: NodeJS.Timeout;
}

/** JSON-RPC 1.0 over a unix socket as Open vSwitch's programs speak it. Answers echo requests. Does not reconnect. */
export class JsonRpc {
  readonly #splitter = new JsonSplitter();
  readonly #waiting = new Map<number, Waiter>();
  readonly #closed = Promise.withResolvers<void>();
  readonly #socket: Socket;
  readonly #options: JsonRpcOptions;
  readonly #timeoutMs: number;
  #nextId = 1;
  #failure: unknown;

  private constructor(socket: Socket, options: JsonRpcOptions) {
    this.#socket = socket;
    this.#options = options;
    this.#timeoutMs = timeoutOf(options);
    socket.on("data", (chunk: Buffer) => this.#read(chunk));
    socket.on("error", (error) => this.#fail(error));
    socket.on("close", () => this.#fail(new Error("the connection was closed")));
  }

  /** Connects to a socket path. @throws {ZorError} UNAVAILABLE */
  static connect(path: string, options: JsonRpcOptions): Promise<JsonRpc> {
    return new Promise((resolve, reject) => {
      const socket = createConnection(path);
      const refuse = (cause: unknown) => {
        clearTimeout(timer);
        socket.destroy();
        reject(lost(options.peer, cause));
      };
      const timer = setTimeout(() => refuse(new Error("no connection in time")), timeoutOf(options));
      socket.once("error", refuse);
      socket.once("connect", () => {
        clearTimeout(timer);
        socket.off("error", refuse);
        resolve(new JsonRpc(socket, options));
      });
    });
  }

  /** Resolves when the connection has ended, for whatever reason. */
  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  /** Asks and resolves to the answer. @throws {JsonRpcError} when it is refused; {ZorError} UNAVAILABLE when there is none. */
  request(method: string, params: readonly unknown[]): Promise<unknown> {
    const { peer } = this.#options;
    if (this.#failure !== undefined) return Promise.reject(lost(peer, this.#failure));
    const id = this.#nextId;
    this.#nextId += 1;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(id);
        reject(lost(peer, new Error(`no answer to ${method} within ${this.#timeoutMs} ms`)));
      }, this.#timeoutMs);
      this.#waiting.set(id, { resolve, reject, timer });
      this.#socket.write(JSON.stringify({ id, method, params }));
    });
  }

  /** Ends the connection; waiting calls are rejected. */
  close(): void {
    this.#socket.destroy();
    this.#fail(new Error("the connection was closed by us"));
  }

  #read(chunk: Buffer): void {
    try {
      for (const message of this.#splitter.push(chunk)) this.#handle(message);
    } catch (error) {
      this.#socket.destroy();
      this.#fail(error);
    }
  }

  #handle(message: unknown): void {
    if (typeof message !== "object" || message === null) throw new Error("a message is not an object");
    const { id, method, params, result, error } = message as Record<string, unknown>; // checked field by field below
    if (method === "echo") this.#socket.write(JSON.stringify({ id, result: params ?? [], error: null }));
    else if (typeof method === "string" && Array.isArray(params)) this.#options.onNotice?.(method, params);
    else if (method === undefined && typeof id === "number") this.#answer(id, result, error);
  }

  #answer(id: number, result: unknown, error: unknown): void {
    const waiter = this.#waiting.get(id);
    if (waiter === undefined) return;
    this.#waiting.delete(id);
    clearTimeout(waiter.timer);
    if (error === null || error === undefined) waiter.resolve(result);
    else waiter.reject(new JsonRpcError(typeof error === "string" ? error : JSON.stringify(error)));
  }

  #fail(cause: unknown): void {
    if (this.#failure !== undefined) return;
    this.#failure = cause;
    for (const waiter of this.#waiting.values()) {
      clearTimeout(waiter.timer);
      waiter.reject(lost(this.#options.peer, cause));
    }
    this.#waiting.clear();
    this.#closed.resolve();
  }
}

function timeoutOf({ timeoutMs }: JsonRpcOptions): number {
  return timeoutMs ?? 10_000;
}

function lost(peer: string, cause: unknown): Error {
  return unavailable(
    "SWITCH_UNAVAILABLE",
    "",
    `${peer} does not answer (${toldOf(cause)}); the agent restarts it by itself`,
    cause,
  );
}
