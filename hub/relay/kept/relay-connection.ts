import { once } from "node:events";
import type { Socket } from "node:net";
import { join } from "node:path";
import { LineSplitter } from "../../../lib/line-splitter.js";
import { tryConnect } from "../../../lib/net/unix-connect.js";
import {
  type HubMessage,
  keptRelaySocket,
  lineOf,
  maxLineBytes,
  type RelayHello,
  type RelayMessage,
} from "./messages.js";

const helloMs = 10_000;

/** A connection of the hub to its relay. */
export class RelayConnection {
  readonly hello: RelayHello;
  readonly #socket: Socket;
  readonly #early: RelayMessage[];
  #onMessage: (message: RelayMessage) => void;

  private constructor(socket: Socket, hello: RelayHello, early: RelayMessage[]) {
    this.#socket = socket;
    this.hello = hello;
    this.#early = early;
    this.#onMessage = (message) => early.push(message);
  }

  /** Undefined: there is none, or it says nothing. */
  static async open(directory: string): Promise<RelayConnection | undefined> {
    const socket = await tryConnect(join(directory, keptRelaySocket));
    if (socket === undefined) return undefined;
    const { promise, resolve } = Promise.withResolvers<RelayConnection | undefined>();
    const early: RelayMessage[] = [];
    let connection: RelayConnection | undefined;
    const take = (message: RelayMessage): void => {
      if (connection !== undefined) connection.#onMessage(message);
      else if (message.type === "hello") {
        connection = new RelayConnection(socket, message, early);
        resolve(connection);
      }
    };
    const lines = new LineSplitter(maxLineBytes);
    socket.on("error", () => undefined);
    socket.on("data", (chunk: Buffer) => {
      try {
        for (const line of lines.push(chunk)) take(JSON.parse(line.toString()) as RelayMessage);
      } catch {
        socket.destroy();
      }
    });
    socket.once("close", () => resolve(undefined));
    const timer = setTimeout(() => socket.destroy(), helloMs);
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
    }
  }

  /** From now on what the relay says is told, also what it has said meanwhile. */
  use(options: { readonly onMessage: (message: RelayMessage) => void; readonly onClose: () => void }): void {
    this.#onMessage = options.onMessage;
    for (const message of this.#early.splice(0)) options.onMessage(message);
    if (this.#socket.destroyed) options.onClose();
    else this.#socket.once("close", options.onClose);
  }

  send(message: HubMessage): void {
    if (this.#socket.writable) this.#socket.write(lineOf(message));
  }

  /** Ends it when everything was sent; the relay goes on. */
  async close(): Promise<void> {
    if (this.#socket.destroyed) return;
    const closed = once(this.#socket, "close");
    this.#socket.destroySoon();
    await closed;
  }

  destroy(): void {
    this.#socket.destroy();
  }
}
