import { randomInt } from "node:crypto";
import type { Socket } from "node:net";
import { status } from "@grpc/grpc-js";
import { messageOf, unavailable, ZorError } from "../../../lib/errors.js";
import { LineSplitter } from "../../../lib/line-splitter.js";
import { asObject, type JsonObject, parseObject, textOf } from "./json.js";

/** How to make a {@link GuestAgent}. */
export interface GuestAgentOptions {
  /** Resource name for errors. */
  readonly resource: string;
}

/** The agent answers guest-exec-status with up to 16 MiB of each output in base64; a guest that sends more is cut off. */
const maxLineBytes = 48 * 1024 * 1024;
const gone =
  "the connection to the guest agent has ended: the agent or the machine has ended or restarts; look at the instance, and ask again";
/** Marks the beginning of the answer to guest-sync-delimited: no JSON text holds this byte. */
const sentinel = 0xff;

/**
 * A connection to the QEMU guest agent (QEMU interop/qemu-ga-ref). The protocol has no ids, so commands run one at a time, and after a
 * command whose answer did not come in time, or made no sense, both sides synchronise again: a late answer would be taken for the next one's.
 * No answer ends the connection. Everything it says comes from the guest and is only ever treated as data.
 */
export class GuestAgent {
  readonly #socket: Socket;
  readonly #options: GuestAgentOptions;
  readonly #splitter = new LineSplitter(maxLineBytes);
  #synchronised = false;
  #waiter: { resolve: (message: JsonObject) => void; reject: (error: unknown) => void } | undefined;
  #tail: Promise<unknown> = Promise.resolve();
  #failure: ZorError | undefined;

  private constructor(socket: Socket, options: GuestAgentOptions) {
    this.#socket = socket;
    this.#options = options;
    socket.on("data", (chunk: Buffer) => this.#receive(chunk));
    socket.on("error", (error) => this.#fail(gone, error));
    socket.on("close", () => this.#fail(gone, undefined));
  }

  /**
   * Takes over a connected socket and synchronises: whatever an earlier client left unread is skipped.
   * @throws {ZorError} UNAVAILABLE when no agent answers in time; the socket is closed then.
   */
  static async open(socket: Socket, options: GuestAgentOptions & { readonly timeoutMs: number }): Promise<GuestAgent> {
    const agent = new GuestAgent(socket, options);
    try {
      await agent.#synchronise(options.timeoutMs);
      return agent;
    } catch (error) {
      agent.close();
      throw error;
    }
  }

  /** Whether the connection has ended. */
  get isClosed(): boolean {
    return this.#failure !== undefined;
  }

  /**
   * Runs a command of the agent and resolves to what it returns.
   * @throws {ZorError} FAILED_PRECONDITION with the guest's words; UNAVAILABLE when the connection ends, the answer is late or makes no sense.
   */
  execute(command: string, args: JsonObject, timeoutMs: number): Promise<unknown> {
    const result = this.#tail.then(() => this.#executeNow(command, args, timeoutMs));
    this.#tail = result.catch(() => undefined);
    return result;
  }

  /** Sends a command that has no answer when it succeeds, and resolves when it is on its way. */
  async send(command: string, args: JsonObject): Promise<void> {
    await this.#tail;
    if (this.#failure !== undefined) throw this.#failure;
    this.#write(command, args);
    // Whatever comes is not an answer to the next command.
    this.#synchronised = false;
  }

  /** Ends the connection; waiting commands fail. Idempotent. */
  close(): void {
    this.#fail(gone, undefined);
  }

  async #executeNow(command: string, args: JsonObject, timeoutMs: number): Promise<unknown> {
    if (!this.#synchronised) await this.#synchronise(timeoutMs);
    this.#write(command, args);
    const message = await this.#answer(command, timeoutMs);
    const error = asObject(message["error"]);
    if (error === undefined) return message["return"];
    throw new ZorError({
      reason: "GUEST_AGENT_REFUSED",
      code: status.FAILED_PRECONDITION,
      message: `${this.#options.resource}: the guest agent refused ${command}: ${textOf(error, "desc").slice(0, 500)}`,
      resource: this.#options.resource,
    });
  }

  async #synchronise(timeoutMs: number): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    const id = randomInt(2 ** 31);
    this.#synchronised = false;
    // The leading byte makes the agent drop half a command that an earlier client sent; it complains about it, which is skipped.
    this.#socket.write(Buffer.of(sentinel));
    this.#write("guest-sync-delimited", { id });
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const message = await this.#answer("guest-sync-delimited", Math.max(1, deadline - performance.now()));
      if (message["return"] === id) return;
    }
  }

  async #answer(command: string, timeoutMs: number): Promise<JsonObject> {
    if (this.#failure !== undefined) throw this.#failure;
    const { promise, resolve, reject } = Promise.withResolvers<JsonObject>();
    this.#waiter = { resolve, reject };
    const timer = setTimeout(
      () =>
        this.#lose(
          `its guest agent did not answer ${command} in time; the guest hangs, is busy, or is out of memory: see its console`,
        ),
      timeoutMs,
    );
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      this.#waiter = undefined;
    }
  }

  #write(command: string, args: JsonObject): void {
    this.#socket.write(`${JSON.stringify({ execute: command, arguments: args })}\n`);
  }

  #receive(chunk: Buffer): void {
    try {
      for (const line of this.#splitter.push(this.#afterSentinel(chunk))) this.#dispatch(line);
    } catch (error) {
      this.#lose(messageOf(error));
    }
  }

  /** Until synchronised, drops everything up to the sentinel. */
  #afterSentinel(chunk: Buffer): Buffer {
    if (this.#synchronised) return chunk;
    const position = chunk.lastIndexOf(sentinel);
    if (position === -1) return Buffer.alloc(0);
    this.#synchronised = true;
    this.#splitter.clear();
    return chunk.subarray(position + 1);
  }

  #dispatch(line: Buffer): void {
    // Answers to the synchronisation of an earlier client may still come, each with its own mark.
    const text = line.subarray(line.lastIndexOf(sentinel) + 1);
    if (text.length === 0) return;
    const message = parseObject(text);
    if (message === undefined) throw new Error("the guest agent sent what is not a JSON object");
    this.#waiter?.resolve(message);
    this.#waiter = undefined;
  }

  /** Gives an answer up. What still comes of it is skipped: the next command synchronises first. */
  #lose(why: string): void {
    this.#synchronised = false;
    this.#splitter.clear();
    this.#waiter?.reject(this.#silent(why, undefined));
    this.#waiter = undefined;
  }

  #silent(why: string, cause: unknown): ZorError {
    const { resource } = this.#options;
    return unavailable("GUEST_AGENT_SILENT", resource, `${resource}: ${why}`, cause);
  }

  #fail(why: string, cause: unknown): void {
    if (this.#failure !== undefined) return;
    this.#failure = this.#silent(why, cause);
    this.#waiter?.reject(this.#failure);
    this.#socket.destroy();
  }
}
