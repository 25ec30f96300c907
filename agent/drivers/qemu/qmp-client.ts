import type { Socket } from "node:net";
import { status } from "@grpc/grpc-js";
import { messageOf, unavailable, ZorError } from "../../../lib/errors.js";
import { LineSplitter } from "../../../lib/line-splitter.js";
import { sendDescriptor } from "../../host/send-descriptor.js";
import { asObject, type JsonObject, parseObject, textOf } from "./json.js";

/** An event of QEMU, for example SHUTDOWN. */
export interface QmpEvent {
  readonly name: string;
  readonly data: JsonObject;
}

/** How to make a {@link QmpClient}. */
export interface QmpOptions {
  /** Resource name for errors. */
  readonly resource: string;
  /** Called for each event, in order, after negotiation. */
  readonly onEvent: (event: QmpEvent) => void;
  /** Longest wait for the greeting and for an answer, in milliseconds; default 5000. */
  readonly timeoutMs?: number;
}

const maxLineBytes = 16 * 1024 * 1024;
const defaultTimeoutMs = 5000;
/** Of a QEMU that takes no commands now. */
export const silentQemu = "QEMU does not answer: its process is stopped or hangs; let it go on, or stop the instance";
const ended =
  "QEMU closed the connection: its process has ended, or was killed on the host; look at the instance, and start it again when it is stopped";

interface Waiter {
  readonly command: string;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * A connection to QEMU's machine protocol (QEMU interop/qmp-spec). Commands may overlap; answers are matched by id.
 * When the connection ends, every waiting command fails and {@link closed} resolves; a client is never used again.
 */
export class QmpClient {
  readonly closed: Promise<void>;
  readonly #socket: Socket;
  readonly #options: QmpOptions;
  readonly #waiters = new Map<number, Waiter>();
  readonly #splitter = new LineSplitter(maxLineBytes);
  readonly #greeting = Promise.withResolvers<void>();
  #nextId = 1;
  #failure: ZorError | undefined;

  private constructor(socket: Socket, options: QmpOptions) {
    this.#socket = socket;
    this.#options = options;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.closed = promise;
    // Nobody may be waiting when it fails.
    this.#greeting.promise.catch(() => undefined);
    socket.on("data", (chunk: Buffer) => this.#receive(chunk));
    socket.on("error", (error) => this.#fail(ended, error));
    socket.on("close", () => {
      this.#fail(ended, undefined);
      resolve();
    });
  }

  /** Takes over a connected socket, waits for the greeting and negotiates. @throws {ZorError} UNAVAILABLE; the socket is closed then. */
  static async open(socket: Socket, options: QmpOptions): Promise<QmpClient> {
    const client = new QmpClient(socket, options);
    const timer = setTimeout(
      () => client.#fail("QEMU does not greet", undefined),
      options.timeoutMs ?? defaultTimeoutMs,
    );
    try {
      await client.#greeting.promise;
      await client.execute("qmp_capabilities");
      return client;
    } catch (error) {
      client.close();
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  /**
   * Runs a command and resolves to what it returns.
   * @throws {ZorError} FAILED_PRECONDITION with QEMU's words when it refuses; DEADLINE_EXCEEDED; UNAVAILABLE when the connection ends.
   */
  async execute(command: string, args: JsonObject = {}, timeoutMs?: number): Promise<unknown> {
    return await this.#execute({ command, args, timeoutMs }, (text) => void this.#socket.write(text));
  }

  /** Like {@link execute}, for commands that take the descriptor that comes with them (QMP add-fd). */
  async executeWith(descriptor: number, command: string, args: JsonObject = {}): Promise<unknown> {
    return await this.#execute({ command, args }, (text) => sendDescriptor(this.#socket, text, descriptor));
  }

  async #execute(
    { command, args, timeoutMs }: { command: string; args: JsonObject; timeoutMs?: number | undefined },
    send: (text: string) => void,
  ): Promise<unknown> {
    if (this.#failure !== undefined) throw this.#failure;
    const id = this.#nextId++;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    this.#waiters.set(id, { command, resolve, reject });
    const limitMs = timeoutMs ?? this.#options.timeoutMs ?? defaultTimeoutMs;
    const timer = setTimeout(() => reject(this.#tooLate(command, limitMs)), limitMs);
    try {
      send(`${JSON.stringify({ execute: command, arguments: args, id })}\n`);
      return await promise;
    } finally {
      clearTimeout(timer);
      this.#waiters.delete(id);
    }
  }

  /** Ends the connection; waiting commands fail. Idempotent. */
  close(): void {
    this.#fail("the connection was closed", undefined);
  }

  #receive(chunk: Buffer): void {
    try {
      for (const line of this.#splitter.push(chunk)) this.#dispatch(line);
    } catch (error) {
      this.#fail(messageOf(error), error);
    }
  }

  #dispatch(line: Buffer): void {
    if (line.length === 0 || this.#failure !== undefined) return;
    const message = parseObject(line);
    if (message === undefined) throw new Error("QEMU sent what is not a JSON object");
    if ("QMP" in message) this.#greeting.resolve();
    else if (typeof message["event"] === "string") {
      this.#options.onEvent({ name: message["event"], data: asObject(message["data"]) ?? {} });
    } else this.#settle(message);
  }

  #settle(message: JsonObject): void {
    const { id } = message as { id?: unknown };
    // An answer without a waiter came after its time.
    const waiter = typeof id === "number" ? this.#waiters.get(id) : undefined;
    if (waiter === undefined) return;
    if ("error" in message) waiter.reject(this.#refused(waiter.command, asObject(message["error"])));
    else waiter.resolve(message["return"]);
  }

  #refused(command: string, error: JsonObject | undefined): ZorError {
    return new ZorError({
      reason: "QMP_COMMAND_FAILED",
      code: status.FAILED_PRECONDITION,
      message: `${this.#options.resource}: QEMU refused ${command}: ${textOf(error, "desc").slice(0, 500)}`,
      resource: this.#options.resource,
      metadata: { qmpClass: textOf(error, "class") },
    });
  }

  #tooLate(command: string, limitMs: number): ZorError {
    return new ZorError({
      reason: "QMP_TIMEOUT",
      code: status.DEADLINE_EXCEEDED,
      message: `${this.#options.resource}: QEMU did not answer ${command} within ${limitMs} ms: its process is stopped or hangs; let it go on, or stop the instance`,
      resource: this.#options.resource,
    });
  }

  #fail(why: string, cause: unknown): void {
    if (this.#failure !== undefined) return;
    const failure = unavailable("QMP_DISCONNECTED", this.#options.resource, `${this.#options.resource}: ${why}`, cause);
    this.#failure = failure;
    this.#greeting.reject(failure);
    for (const waiter of this.#waiters.values()) waiter.reject(failure);
    this.#waiters.clear();
    this.#socket.destroy();
  }
}
