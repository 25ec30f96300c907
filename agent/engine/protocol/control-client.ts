import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { status } from "@grpc/grpc-js";
import { unavailable, ZorError } from "../../../lib/errors.js";
import { readJson } from "./codec.js";
import { type Calls, type ControlProtocol, maxLineBytes, watchMethod } from "./control-protocol.js";
import { splitLines } from "../../../lib/line-splitter.js";

const answerMs = 15_000;
/** Reason of the error when an engine is there and says nothing. */
export const engineSilent = "ENGINE_SILENT";

/** Talks to a running cable engine, see {@link ControlProtocol}. */
export class ControlClient<C extends Calls, Event> {
  readonly #socket: Socket;
  readonly #protocol: ControlProtocol<C, Event>;
  readonly #onEvent: (event: Event) => void;
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>();
  #nextId = 1;
  /** Resolves when the connection has ended, for whatever reason. */
  readonly closed: Promise<void>;

  private constructor(socket: Socket, protocol: ControlProtocol<C, Event>, onEvent: (event: Event) => void) {
    this.#socket = socket;
    this.#protocol = protocol;
    this.#onEvent = onEvent;
    this.closed = new Promise((resolve) => socket.once("close", () => resolve()));
    const onLine = splitLines(maxLineBytes, (line) => this.#onLine(line));
    socket.on("data", (chunk) => {
      if (!onLine(Buffer.from(chunk))) socket.destroy();
    });
    socket.on("error", () => undefined);
    socket.on("close", () => this.#failAll());
  }

  /** Connects; undefined when no engine serves the socket. `onEvent` is called after {@link watch}. */
  static async connect<C extends Calls, Event>(
    path: string,
    protocol: ControlProtocol<C, Event>,
    onEvent: (event: Event) => void,
  ): Promise<ControlClient<C, Event> | undefined> {
    const socket = connect(path);
    try {
      await once(socket, "connect");
    } catch {
      socket.destroy();
      return undefined;
    }
    return new ControlClient(socket, protocol, onEvent);
  }

  /**
   * Asks, and checks what is answered. @throws {ZorError} UNAVAILABLE, with the engine's reason when it refuses, ENGINE_SILENT when it does
   * not answer in time.
   */
  async ask<Method extends keyof C & string>(
    method: Method,
    request: C[Method]["request"],
    { timeoutMs = answerMs }: { readonly timeoutMs?: number } = {},
  ): Promise<C[Method]["response"]> {
    const codecs = this.#protocol.calls[method];
    const answer = await this.#send(method, codecs.request.toJSON(request), timeoutMs);
    try {
      return readJson(codecs.response, answer);
    } catch (error) {
      const message = "the cable engine answers in a way this agent does not understand";
      throw unavailable("ENGINE_PROTOCOL", "", message, error);
    }
  }

  /** From now on the engine sends events, the first with all there is. @throws {ZorError} UNAVAILABLE */
  async watch(): Promise<void> {
    await this.#send(watchMethod, {}, answerMs);
  }

  close(): void {
    this.#socket.destroy();
  }

  async #send(method: string, request: unknown, timeoutMs: number): Promise<unknown> {
    if (this.#socket.destroyed) throw engineGone();
    const id = this.#nextId;
    this.#nextId += 1;
    const answer = Promise.withResolvers<unknown>();
    this.#waiting.set(id, answer);
    const silent = `the cable engine did not answer in ${timeoutMs / 1000} s`;
    const timer = setTimeout(() => answer.reject(unavailable(engineSilent, "", silent)), timeoutMs);
    this.#socket.write(`${JSON.stringify({ id, method, request })}\n`);
    try {
      return await answer.promise;
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(id);
    }
  }

  #onLine(text: string): void {
    const line = parseObject(text);
    if ("event" in line) this.#onEventLine(line["event"]);
    else if (typeof line["id"] === "number") this.#onAnswer(line["id"], line);
  }

  #onEventLine(json: unknown): void {
    let event: Event;
    try {
      event = readJson(this.#protocol.event, json);
    } catch {
      // A newer engine may send events that this version does not know.
      return;
    }
    this.#onEvent(event);
  }

  #onAnswer(id: number, { result, error }: Readonly<Record<string, unknown>>): void {
    const asked = this.#waiting.get(id);
    if (error === undefined) asked?.resolve(result);
    else asked?.reject(refusalOf(error));
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

function refusalOf(error: unknown): ZorError {
  const { reason, message } = { reason: "ENGINE_ERROR", message: "", ...(typeof error === "object" ? error : {}) };
  return new ZorError({ reason: String(reason), message: String(message), code: status.UNAVAILABLE });
}

/** Nothing when the text is no JSON object. */
function parseObject(text: string): Readonly<Record<string, unknown>> {
  try {
    const json: unknown = JSON.parse(text);
    return typeof json === "object" && json !== null ? { ...json } : {};
  } catch {
    return {};
  }
}
