import { once } from "node:events";
import { connect, type Socket } from "node:net";
import type { z } from "zod";
import { status } from "@grpc/grpc-js";
import { unavailable, ZorError } from "../../../lib/errors.js";
import {
  diagnoseResultSchema,
  type EndDiagnosis,
  type EndsEvent,
  type EndView,
  type EngineHello,
  type EngineRequest,
  engineLineSchema,
  ensureEndResultSchema,
  helloSchema,
  maxLineBytes,
} from "./engine-protocol.js";
import type { EndSpec } from "./end-record.js";
import { splitLines } from "./line-splitter.js";

/** A request without its id. */
type Order = EngineRequest extends infer Request
  ? Request extends EngineRequest
    ? Omit<Request, "id">
    : never
  : never;

const answerMs = 15_000;

/** Talks to a running cable engine. */
export class EngineClient {
  readonly #socket: Socket;
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>();
  readonly #onEnds: (event: EndsEvent) => void;
  #nextId = 1;
  /** Resolves when the connection has ended, for whatever reason. */
  readonly closed: Promise<void>;

  private constructor(socket: Socket, onEnds: (event: EndsEvent) => void) {
    this.#socket = socket;
    this.#onEnds = onEnds;
    this.closed = new Promise((resolve) => socket.once("close", () => resolve()));
    const onLine = splitLines(maxLineBytes, (line) => this.#onLine(line));
    socket.on("data", (chunk) => {
      if (!onLine(Buffer.from(chunk))) socket.destroy();
    });
    socket.on("error", () => undefined);
    socket.on("close", () => this.#failAll());
  }

  /** Connects; undefined when no engine serves the socket. `onEnds` is called after {@link watch}. */
  static async connect(path: string, onEnds: (event: EndsEvent) => void): Promise<EngineClient | undefined> {
    const socket = connect(path);
    try {
      await once(socket, "connect");
    } catch {
      socket.destroy();
      return undefined;
    }
    return new EngineClient(socket, onEnds);
  }

  hello(): Promise<EngineHello> {
    return this.#ask({ method: "hello" }, helloSchema);
  }

  async ensureEnd(end: EndSpec): Promise<EndView> {
    return (await this.#ask({ method: "ensureEnd", end }, ensureEndResultSchema)).end;
  }

  async deleteEnd(link: string, linkUid: string): Promise<void> {
    await this.#send({ method: "deleteEnd", link, linkUid });
  }

  async setPort(linkUid: string, generation: string, fault: string): Promise<void> {
    await this.#send({ method: "setPort", linkUid, generation, fault: fault.slice(0, 300) });
  }

  /** Tests an end, which takes some seconds. */
  async diagnose(linkUid: string): Promise<EndDiagnosis> {
    return (await this.#ask({ method: "diagnose", linkUid }, diagnoseResultSchema)).diagnosis;
  }

  /** From now on ends are told to `onEnds`, all of them first. */
  async watch(): Promise<void> {
    await this.#send({ method: "watch" });
  }

  /** Ends the engine. Resolves when it has closed the connection. */
  async shutdown(): Promise<void> {
    await this.#send({ method: "shutdown" });
    await this.closed;
  }

  close(): void {
    this.#socket.destroy();
  }

  async #ask<Schema extends z.ZodType>(order: Order, schema: Schema): Promise<z.output<Schema>> {
    const answer = schema.safeParse(await this.#send(order));
    if (answer.success) return answer.data;
    throw unavailable(
      "ENGINE_PROTOCOL",
      "",
      "the cable engine answers in a way this agent does not understand",
      answer.error,
    );
  }

  async #send(order: Order): Promise<unknown> {
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

  #onLine(text: string): void {
    const line = engineLineSchema.safeParse(parseJson(text));
    // A newer engine may send events that this version does not know.
    if (!line.success) return;
    if ("event" in line.data) {
      this.#onEnds(line.data);
    } else if ("error" in line.data) {
      const { reason, message } = line.data.error;
      this.#waiting.get(line.data.id)?.reject(new ZorError({ reason, code: status.UNAVAILABLE, message }));
    } else this.#waiting.get(line.data.id)?.resolve(line.data.result);
  }

  #failAll(): void {
    for (const answer of this.#waiting.values()) answer.reject(engineGone());
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function engineGone(): ZorError {
  return unavailable(
    "ENGINE_GONE",
    "",
    "the cable engine is not running; it is being started again, try again shortly",
  );
}
