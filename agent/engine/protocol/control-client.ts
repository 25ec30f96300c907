import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { status } from "@grpc/grpc-js";
import type { z } from "zod";
import { unavailable, ZorError } from "../../../lib/errors.js";
import { type Answer, answerSchema, type ControlRequest, maxLineBytes } from "./control-lines.js";
import { splitLines } from "./line-splitter.js";

/** A request without its id. */
type Order<Request> = Request extends ControlRequest ? Omit<Request, "id"> : never;

/** The events of a protocol, which come after the request "watch". */
export interface ControlEvents<Event> {
  readonly schema: z.ZodType<Event>;
  readonly onEvent: (event: Event) => void;
}

const answerMs = 15_000;

/**
 * Talks to a running cable engine: JSON lines over a unix socket, requests that are answered by their id, and events. `Request` is
 * what the engine behind the socket can be asked.
 */
export class ControlClient<Request extends ControlRequest> {
  readonly #socket: Socket;
  readonly #onEvent: (line: unknown) => void;
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>();
  #nextId = 1;
  /** Resolves when the connection has ended, for whatever reason. */
  readonly closed: Promise<void>;

  private constructor(socket: Socket, onEvent: (line: unknown) => void) {
    this.#socket = socket;
    this.#onEvent = onEvent;
    this.closed = new Promise((resolve) => socket.once("close", () => resolve()));
    const onLine = splitLines(maxLineBytes, (line) => this.#onLine(line));
    socket.on("data", (chunk) => {
      if (!onLine(Buffer.from(chunk))) socket.destroy();
    });
    socket.on("error", () => undefined);
    socket.on("close", () => this.#failAll());
  }

  /** Connects; undefined when no engine serves the socket. */
  static async connect<Request extends ControlRequest, Event>(
    path: string,
    { schema, onEvent }: ControlEvents<Event>,
  ): Promise<ControlClient<Request> | undefined> {
    const socket = connect(path);
    try {
      await once(socket, "connect");
    } catch {
      socket.destroy();
      return undefined;
    }
    return new ControlClient(socket, (line) => {
      const event = schema.safeParse(line);
      // A newer engine may send events that this version does not know.
      if (event.success) onEvent(event.data);
    });
  }

  /** Asks, and checks what is answered. @throws {ZorError} UNAVAILABLE, with the engine's reason when it refuses. */
  async ask<Schema extends z.ZodType>(order: Order<Request>, schema: Schema): Promise<z.output<Schema>> {
    const answer = schema.safeParse(await this.send(order));
    if (answer.success) return answer.data;
    throw unavailable(
      "ENGINE_PROTOCOL",
      "",
      "the cable engine answers in a way this agent does not understand",
      answer.error,
    );
  }

  /** Asks; resolves to the answer as it came. @throws {ZorError} like {@link ask} */
  async send(order: Order<Request>): Promise<unknown> {
    if (this.#socket.destroyed) throw engineGone();
    const id = this.#nextId;
    this.#nextId += 1;
    const answer = Promise.withResolvers<unknown>();
    this.#waiting.set(id, answer);
    const timer = setTimeout(
      () => answer.reject(unavailable("ENGINE_SILENT", "", `the cable engine did not answer in ${answerMs / 1000} s`)),
      answerMs,
    );
    this.#socket.write(`${JSON.stringify({ id, ...order })}\n`);
    try {
      return await answer.promise;
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(id);
    }
  }

  close(): void {
    this.#socket.destroy();
  }

  #onLine(text: string): void {
    const line = parseJson(text);
    const answer = answerSchema.safeParse(line);
    if (answer.success) this.#onAnswer(answer.data);
    else this.#onEvent(line);
  }

  #onAnswer(answer: Answer): void {
    const asked = this.#waiting.get(answer.id);
    if ("error" in answer) asked?.reject(new ZorError({ ...answer.error, code: status.UNAVAILABLE }));
    else asked?.resolve(answer.result);
  }

  #failAll(): void {
    for (const answer of this.#waiting.values()) answer.reject(engineGone());
  }
}

/** The error of whoever asks while there is no engine. */
export function engineGone(): ZorError {
  return unavailable(
    "ENGINE_GONE",
    "",
    "the cable engine is not running; it is being started again, try again shortly",
  );
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
