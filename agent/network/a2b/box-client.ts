import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { status } from "@grpc/grpc-js";
import { unavailable, ZorError } from "../../../lib/errors.js";
import { maxLineBytes } from "../c2c/engine-protocol.js";
import { splitLines } from "../c2c/line-splitter.js";
import { type BoxesEvent, boxLineSchema, type BoxRequest, type BoxSpec } from "./box-protocol.js";

/** A request without its id. */
type Order = BoxRequest extends infer Request ? (Request extends BoxRequest ? Omit<Request, "id"> : never) : never;

const answerMs = 15_000;

/** Talks to the boxes of a running cable engine. */
export class BoxClient {
  readonly #socket: Socket;
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>();
  readonly #onBoxes: (event: BoxesEvent) => void;
  #nextId = 1;
  /** Resolves when the connection has ended, for whatever reason. */
  readonly closed: Promise<void>;

  private constructor(socket: Socket, onBoxes: (event: BoxesEvent) => void) {
    this.#socket = socket;
    this.#onBoxes = onBoxes;
    this.closed = new Promise((resolve) => socket.once("close", () => resolve()));
    const onLine = splitLines(maxLineBytes, (line) => this.#onLine(line));
    socket.on("data", (chunk) => {
      if (!onLine(Buffer.from(chunk))) socket.destroy();
    });
    socket.on("error", () => undefined);
    socket.on("close", () => this.#failAll());
  }

  /** Connects; undefined when no engine serves the socket. `onBoxes` is called after {@link watch}. */
  static async connect(path: string, onBoxes: (event: BoxesEvent) => void): Promise<BoxClient | undefined> {
    const socket = connect(path);
    try {
      await once(socket, "connect");
    } catch {
      socket.destroy();
      return undefined;
    }
    return new BoxClient(socket, onBoxes);
  }

  /** Makes or changes a box; durable when it resolves. */
  async ensureBox(spec: BoxSpec): Promise<void> {
    await this.#send({ method: "ensureBox", spec });
  }

  /** Removes a box and its taps. Idempotent. */
  async deleteBox(uid: string): Promise<void> {
    await this.#send({ method: "deleteBox", uid });
  }

  /** Tells whether a tap is plugged into its lan: `fault` says why not. */
  async setPort(uid: string, side: 0 | 1, generation: string, fault: string): Promise<void> {
    await this.#send({ method: "setPort", uid, side, generation, fault: fault.slice(0, 300) });
  }

  /** From now on boxes are told to `onBoxes`, all of them first. */
  async watch(): Promise<void> {
    await this.#send({ method: "watch" });
  }

  close(): void {
    this.#socket.destroy();
  }

  async #send(order: Order): Promise<unknown> {
    if (this.#socket.destroyed) throw boxEngineGone();
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

  #onLine(text: string): void {
    const line = boxLineSchema.safeParse(parseJson(text));
    // A newer engine may send events that this version does not know.
    if (!line.success) return;
    if ("event" in line.data) {
      this.#onBoxes(line.data);
    } else if ("error" in line.data) {
      const { reason, message } = line.data.error;
      this.#waiting.get(line.data.id)?.reject(new ZorError({ reason, code: status.UNAVAILABLE, message }));
    } else this.#waiting.get(line.data.id)?.resolve(line.data.result);
  }

  #failAll(): void {
    for (const answer of this.#waiting.values()) answer.reject(boxEngineGone());
  }
}

/** The error of whoever asks while there is no engine. */
export function boxEngineGone(): ZorError {
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
