import { once } from "node:events";
import { chmod, unlink } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import type { z } from "zod";
import { messageOf, ZorError } from "../../../lib/errors.js";
import { type ControlRequest, maxLineBytes } from "../protocol/control-lines.js";
import { splitLines } from "../protocol/line-splitter.js";

/** What a {@link ControlServer} serves. */
export interface ControlService<Request extends ControlRequest> {
  readonly schema: z.ZodType<Request>;
  /** Does what is asked for; the result is the answer, undefined an empty one. "watch" asks for nothing more than {@link watch}. */
  perform(request: Request): unknown;
  /** Sends events from now on, the first with all there is. Returns the way to stop. */
  watch(send: (event: object) => void): () => void;
  /** A request was performed and answered. */
  onAnswered?(request: Request): void;
}

/** Bytes that may wait for a client that does not read; then it is disconnected and can come again. */
const maxWaitingBytes = 8 * 1024 * 1024;

/** Serves a control protocol, see `ControlClient`, on a unix socket that only its owner can open. */
export class ControlServer<Request extends ControlRequest> {
  readonly #server: Server;
  readonly #clients = new Set<Socket>();
  readonly #service: ControlService<Request>;

  private constructor(service: ControlService<Request>) {
    this.#service = service;
    this.#server = createServer((socket) => this.#onClient(socket));
  }

  /** Replaces a socket that an earlier engine left. The caller holds the lock, so nobody serves it. */
  static async open<Request extends ControlRequest>(
    path: string,
    service: ControlService<Request>,
  ): Promise<ControlServer<Request>> {
    await unlink(path).catch(() => undefined);
    const control = new ControlServer(service);
    control.#server.listen(path);
    await once(control.#server, "listening");
    // Such as too many open files: it passes by itself, and the client comes again.
    control.#server.on("error", () => undefined);
    // Its directory is closed to others, so nobody came in between.
    await chmod(path, 0o600);
    return control;
  }

  close(): void {
    this.#server.close();
    for (const client of this.#clients) client.end();
  }

  #onClient(socket: Socket): void {
    this.#clients.add(socket);
    let stopWatching: (() => void) | undefined;
    const send = (line: object): void => {
      if (socket.writableLength > maxWaitingBytes) socket.destroy();
      else socket.write(`${JSON.stringify(line)}\n`);
    };
    const watch = (): void => {
      if (!socket.destroyed) stopWatching ??= this.#service.watch(send);
    };
    socket.on("error", () => undefined);
    socket.on("close", () => {
      stopWatching?.();
      this.#clients.delete(socket);
    });
    const onLine = splitLines(maxLineBytes, (line) => void this.#answer(line, send, watch));
    socket.on("data", (chunk) => {
      if (!onLine(Buffer.from(chunk))) socket.destroy();
    });
  }

  /** Nobody waits for it: what goes wrong is the answer. */
  async #answer(line: string, send: (line: object) => void, watch: () => void): Promise<void> {
    let id = 0;
    try {
      const message: unknown = JSON.parse(line);
      if (typeof message === "object" && message !== null && "id" in message) id = Number(message.id);
      const request = this.#service.schema.parse(message);
      send({ id, result: (await this.#service.perform(request)) ?? {} });
      if (request.method === "watch") watch();
      this.#service.onAnswered?.(request);
    } catch (error) {
      const reason = error instanceof ZorError ? error.reason : "ENGINE_ERROR";
      send({ id, error: { reason, message: messageOf(error) } });
    }
  }
}
