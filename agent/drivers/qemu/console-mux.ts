import type { Socket } from "node:net";
import { resourceExhausted, unavailable } from "../../../lib/errors.js";
import type { ConsoleStream } from "../driver.js";
import type { ConsoleLog } from "./console-log.js";

/** Output that a reader may leave unread before it is cut off. */
const maxUnreadBytes = 1024 * 1024;

/**
 * A serial console with one connection to QEMU and any number of readers. Output is always read, so that no reader slows the guest;
 * a reader that does not keep up fails with RESOURCE_EXHAUSTED. Recent output is kept in a {@link ConsoleLog}.
 */
export class ConsoleMux {
  readonly #resource: string;
  readonly #log: ConsoleLog;
  readonly #readers = new Set<Reader>();
  #socket: Socket | undefined;

  constructor(resource: string, log: ConsoleLog) {
    this.#resource = resource;
    this.#log = log;
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
      for (const reader of this.#readers) reader.push(chunk);
    });
    // "close" follows and says all there is to say.
    socket.on("error", () => undefined);
    socket.on("close", () => {
      if (this.#socket === socket) this.#socket = undefined;
    });
  }

  /** A new reader and writer; recent output comes first. */
  open(replayBytes: number): ConsoleStream {
    const reader = new Reader(this.#resource);
    const recent = this.#log.recent(replayBytes);
    if (recent.length > 0) reader.push(recent);
    this.#readers.add(reader);
    return {
      output: reader,
      write: (data) => this.#write(data),
      // A serial line has no size to tell.
      resize: async () => undefined,
      close: async () => {
        this.#readers.delete(reader);
        reader.end();
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

  async #write(data: Uint8Array): Promise<void> {
    const socket = this.#socket;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const fail = () =>
      reject(unavailable("CONSOLE_DISCONNECTED", this.#resource, `${this.#resource}: its console is not connected`));
    if (socket === undefined) fail();
    else socket.write(data, (error) => (error == null ? resolve() : fail()));
    await promise;
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
