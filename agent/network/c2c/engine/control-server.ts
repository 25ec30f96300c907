import { once } from "node:events";
import { chmod, unlink } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { messageOf, ZorError } from "../../../../lib/errors.js";
import { type EngineHello, type EngineRequest, maxLineBytes, requestSchema } from "../engine-protocol.js";
import { splitLines } from "../line-splitter.js";
import type { Engine } from "./engine.js";

/** Bytes that may wait for a client that does not read; then it is disconnected and can come again. */
const maxWaitingBytes = 8 * 1024 * 1024;

/** Serves the control protocol on a unix socket that only its owner can open. */
export class ControlServer {
  readonly #server: Server;
  readonly #clients = new Set<Socket>();
  readonly #options: ControlOptions;

  private constructor(options: ControlOptions) {
    this.#options = options;
    this.#server = createServer((socket) => this.#onClient(socket));
  }

  /** Replaces a socket that an earlier engine left. The caller holds the lock, so nobody serves it. */
  static async open(path: string, options: ControlOptions): Promise<ControlServer> {
    await unlink(path).catch(() => undefined);
    const control = new ControlServer(options);
    control.#server.listen(path);
    await once(control.#server, "listening");
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
    const send = (line: unknown): void => {
      if (socket.writableLength > maxWaitingBytes) socket.destroy();
      else socket.write(`${JSON.stringify(line)}\n`);
    };
    socket.on("error", () => undefined);
    socket.on("close", () => {
      stopWatching?.();
      this.#clients.delete(socket);
    });
    const onLine = splitLines(maxLineBytes, (line) => {
      void this.#answer(line, send, () => {
        stopWatching ??= this.#options.engine.watch((event) => send({ event: "ends", ...event }));
      });
    });
    socket.on("data", (chunk) => {
      if (!onLine(Buffer.from(chunk))) socket.destroy();
    });
  }

  async #answer(line: string, send: (line: unknown) => void, watch: () => void): Promise<void> {
    let id = 0;
    try {
      const message: unknown = JSON.parse(line);
      if (typeof message === "object" && message !== null && "id" in message) id = Number(message.id);
      const request = requestSchema.parse(message);
      send({ id, result: (await this.#perform(request)) ?? {} });
      if (request.method === "watch") watch();
      if (request.method === "shutdown") this.#options.onShutdown();
    } catch (error) {
      const reason = error instanceof ZorError ? error.reason : "ENGINE_ERROR";
      send({ id, error: { reason, message: messageOf(error) } });
    }
  }

  async #perform(request: EngineRequest): Promise<unknown> {
    const { engine } = this.#options;
    switch (request.method) {
      case "hello":
        return this.#options.hello();
      case "ensureEnd":
        return { end: await engine.ensureEnd(request.end) };
      case "deleteEnd":
        return engine.deleteEnd(request.link, request.linkUid);
      case "setPort":
        return engine.setPort(request.linkUid, request.generation, request.fault);
      case "diagnose":
        return { diagnosis: await engine.diagnose(request.linkUid) };
      case "watch":
      case "shutdown":
        return undefined;
    }
  }
}

/** What a control server serves. */
export interface ControlOptions {
  readonly engine: Engine;
  readonly hello: () => EngineHello;
  readonly onShutdown: () => void;
}
