import type { Socket } from "node:net";
import { resourceExhausted, unavailable } from "../../../lib/errors.js";
import type { ConsoleStream } from "../driver.js";
import type { ConsoleLog } from "./console-log.js";

/** Output that a reader may leave unread before it is cut off. */
const maxUnreadBytes = 1024 * 1024;
/** Input that is handed to QEMU at once; the rest waits until that is taken. */
const pieceBytes = 4096;
/** Input of all writers that QEMU, for example of a paused machine, may leave untaken before more is refused. */
const maxUntakenBytes = 256 * 1024;

/**
 * A serial console with one connection to QEMU and any number of readers. Output is always read, so that no reader slows the guest;
 * a reader that does not keep up fails with RESOURCE_EXHAUSTED. Recent output is kept in a {@link ConsoleLog}.
 */
export class ConsoleMux {
  readonly #resource: string;
  readonly #log: ConsoleLog;
  readonly #onOutput: (output: Uint8Array) => void;
  readonly #readers = new Set<Reader>();
  #socket: Socket | undefined;

  /** @param onOutput told of everything that comes. */
  constructor(resource: string, log: ConsoleLog, onOutput: (output: Uint8Array) => void) {
    this.#resource = resource;
    this.#log = log;
    this.#onOutput = onOutput;
  }

  get isConnected(): boolean {
    return this.#socket !== undefined;
  }

  /** Takes over a connection to QEMU's console socket. */
  attach(socket: Socket): void {
    this.#socket?.destroy();
    this.#socket = socket;
    socket.on("data", (chunk: Buffer) => {
      this.#log.append(chunk);
      this.#onOutput(chunk);
      for (const reader of this.#readers) reader.push(chunk);
    });
    // "close" follows and says all there is to say.
    socket.on("error", () => undefined);
    socket.on("close", () => {
      if (this.#socket === socket) this.#socket = undefined;
    });
  }

  /** A new reader and writer. */
  open(replayBytes: number): ConsoleStream {
    const reader = new Reader(this.#resource);
    this.#readers.add(reader);
    const closing = new AbortController();
    return {
      replay: this.#log.recent(replayBytes),
      output: reader,
      write: (data) => this.#write(data, closing.signal),
      // A serial line has no size to tell.
      resize: async () => undefined,
      close: async () => {
        this.#readers.delete(reader);
        reader.end();
        closing.abort();
      },
    };
  }

  /** Ends the connection and all readers, after what they have yet to read. */
  close(): void {
    this.#socket?.destroy();
    this.#socket = undefined;
    for (const reader of this.#readers) reader.end();
    this.#readers.clear();
  }

  /** Resolves when QEMU has taken the data or the writer is closed, which drops what has not been handed over. */
  async #write(data: Uint8Array, closed: AbortSignal): Promise<void> {
    for (let at = 0; at < data.length && !closed.aborted; at += pieceBytes) {
      // A copy: what waits in the socket must not keep the whole message in memory.
      await this.#writePiece(Buffer.from(data.subarray(at, at + pieceBytes)), closed);
    }
  }

  async #writePiece(piece: Uint8Array, closed: AbortSignal): Promise<void> {
    const socket = this.#socket;
    if (socket === undefined) throw this.#disconnected();
    if (socket.writableLength > maxUntakenBytes) {
      throw resourceExhausted(
        "CONSOLE_INPUT_FULL",
        `${this.#resource}: the machine does not take its console's input; is it paused?`,
        this.#resource,
      );
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const giveUp = (): void => resolve();
    closed.addEventListener("abort", giveUp, { once: true });
    socket.write(piece, (error) => (error == null ? resolve() : reject(this.#disconnected())));
    try {
      await promise;
    } finally {
      closed.removeEventListener("abort", giveUp);
    }
  }

  #disconnected(): Error {
    return unavailable("CONSOLE_DISCONNECTED", this.#resource, `${this.#resource}: its console is not connected`);
  }
}

/** One reader: a queue bounded in bytes, since a serial line delivers a few at a time. */
class Reader implements AsyncIterable<Uint8Array> {
  readonly #resource: string;
  #chunks: Uint8Array[] = [];
  #bytes = 0;
  #ended = false;
  #overrun = false;
  #wake: (() => void) | undefined;

  constructor(resource: string) {
    this.#resource = resource;
  }

  push(chunk: Uint8Array): void {
    if (this.#ended || this.#overrun) return;
    this.#overrun = this.#bytes + chunk.length > maxUnreadBytes;
    if (!this.#overrun) {
      this.#chunks.push(chunk);
      this.#bytes += chunk.length;
    }
    this.#wake?.();
  }

  end(): void {
    this.#ended = true;
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    for (;;) {
      if (this.#chunks.length > 0) {
        const data = Buffer.concat(this.#chunks);
        this.#chunks = [];
        this.#bytes = 0;
        yield data;
      } else if (this.#overrun) {
        throw resourceExhausted(
          "CONSOLE_READER_TOO_SLOW",
          `${this.#resource}: its console gave output faster than it was read; open it again`,
          this.#resource,
        );
      } else if (this.#ended) return;
      else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    }
  }
}
