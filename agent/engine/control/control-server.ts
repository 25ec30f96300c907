import { once } from "node:events";
import { chmod, unlink } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { messageOf, ZorError } from "../../../lib/errors.js";
import { readJson } from "../protocol/codec.js";
import { type Calls, type ControlProtocol, maxLineBytes, watchMethod } from "../protocol/control-protocol.js";
import { splitLines } from "../../../lib/line-splitter.js";

/** What a {@link ControlServer} serves. */
export interface ControlService<C extends Calls, Event> {
  readonly protocol: ControlProtocol<C, Event>;
  /** Does what is asked for. What it throws is the answer. */
  readonly handlers: {
    readonly [Method in keyof C]: (
      request: C[Method]["request"],
    ) => C[Method]["response"] | Promise<C[Method]["response"]>;
  };
  /** Sends events from now on, the first with all there is. Returns the way to stop. */
  watch(send: (event: Event) => void): () => void;
  /** A request was performed and answered. */
  onAnswered?(method: string): void;
}

/** Bytes that may wait for a client that does not read; then it is disconnected and can come again. */
const maxWaitingBytes = 8 * 1024 * 1024;

/** Serves a {@link ControlProtocol} on a unix socket that only its owner can open. */
export class ControlServer<C extends Calls, Event> {
  readonly #server: Server;
  readonly #clients = new Set<Socket>();
  readonly #service: ControlService<C, Event>;

  private constructor(service: ControlService<C, Event>) {
    this.#service = service;
    this.#server = createServer((socket) => this.#onClient(socket));
  }

  /** Replaces a socket that an earlier engine left. The caller holds the lock, so nobody serves it. */
  static async open<C extends Calls, Event>(
    path: string,
    service: ControlService<C, Event>,
  ): Promise<ControlServer<C, Event>> {
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
    const { protocol, watch } = this.#service;
    let stopWatching: (() => void) | undefined;
    const send = (line: object): void => {
      if (socket.writableLength > maxWaitingBytes) socket.destroy();
      else socket.write(`${JSON.stringify(line)}\n`);
    };
    const startWatching = (): void => {
      if (!socket.destroyed) stopWatching ??= watch((event) => send({ event: protocol.event.toJSON(event) }));
    };
    socket.on("error", () => undefined);
    socket.on("close", () => {
      stopWatching?.();
      this.#clients.delete(socket);
    });
    const onLine = splitLines(maxLineBytes, (line) => void this.#answer(line, send, startWatching));
    socket.on("data", (chunk) => {
      if (!onLine(Buffer.from(chunk))) socket.destroy();
    });
  }

  /** Nobody waits for it: what goes wrong is the answer. */
  async #answer(line: string, send: (line: object) => void, startWatching: () => void): Promise<void> {
    let id = 0;
    try {
      const message: unknown = JSON.parse(line);
      const { id: asked, method, request } = { id: 0, method: "", request: {}, ...Object(message) } as RequestLine;
      if (!Number.isSafeInteger(asked) || asked === 0) throw new Error("the request has no id, which is a number");
      id = asked as number;
      if (method === watchMethod) {
        send({ id, result: {} });
        startWatching();
      } else if (this.#knows(method)) {
        send({ id, result: await this.#perform(method, request) });
      } else {
        throw new Error(`this engine knows no method ${JSON.stringify(method)}`);
      }
      this.#service.onAnswered?.(method);
    } catch (error) {
      const reason = error instanceof ZorError ? error.reason : "ENGINE_ERROR";
      send({ id, error: { reason, message: messageOf(error) } });
    }
  }

  #knows(method: unknown): method is keyof C & string {
    return typeof method === "string" && Object.hasOwn(this.#service.protocol.calls, method);
  }

  async #perform<Method extends keyof C & string>(method: Method, json: unknown): Promise<unknown> {
    const { protocol, handlers } = this.#service;
    const { request, response } = protocol.calls[method];
    return response.toJSON(await handlers[method](readJson(request, json)));
  }
}

/** What a client has sent, whatever it is. */
interface RequestLine {
  readonly id: unknown;
  readonly method: unknown;
  readonly request: unknown;
}
