import type { Socket } from "node:net";
import { resourceExhausted, unavailable } from "../../../lib/errors.js";
import { History, type Piece } from "../../pump/protocol/history.js";
import type { Heard } from "../../pump/protocol/pump-client.js";
import type { ConsoleRequest, ConsoleStream } from "../driver.js";

/** Output that is kept for replay. */
const keptBytes = 64 * 1024;

/** Output that a reader may leave unread before it is cut off. */
const maxUnreadBytes = 1024 * 1024;
/** Input that is handed to QEMU at once; the rest waits until that is taken. */
const pieceBytes = 4096;
/** Input of all writers that QEMU, for example of a paused machine, may leave untaken before more is refused. */
const maxUntakenBytes = 256 * 1024;

/** What is kept of a port's output, and what comes. */
export interface FollowedPort {
  readonly log: string;
  /** Where what is kept begins. */
  readonly begin: number;
  readonly past: readonly Piece[];
  readonly live: AsyncIterable<Piece>;
  close(): void;
}

/** How a reader begins. */
type ReaderRequest = Pick<ConsoleRequest, "replayBytes" | "resume">;

/**
 * A serial port of a machine, read through the pump, and any number of readers. A reader that does not keep up fails with
 * RESOURCE_EXHAUSTED. Recent output is kept.
 */
export class ConsoleMux {
  readonly #resource: string;
  readonly #history = new History("", { keptBytes });
  readonly #onOutput: (output: Uint8Array) => void;
  readonly #readers = new Set<Reader>();
  #socket: Socket | undefined;

  /** @param onOutput told of everything that comes. */
  constructor(resource: string, onOutput: (output: Uint8Array) => void) {
    this.#resource = resource;
    this.#onOutput = onOutput;
  }

  get isConnected(): boolean {
    return this.#socket !== undefined;
  }

  /** Takes what the pump says; after it was connected anew that is in part what is known. */
  hear(heard: Heard): void {
    if (heard.type === "opened") {
      if (heard.log !== this.#history.log) this.#history.restart(heard.log, heard.at);
      return;
    }
    const data = this.#history.take(heard);
    if (data.length === 0) return;
    this.#onOutput(data);
    for (const reader of this.#readers)
      reader.push({ at: this.#history.end - data.length, timeMs: heard.timeMs, data });
  }

  /** Types through this connection from now on. */
  attach(socket: Socket): void {
    this.#socket?.destroy();
    this.#socket = socket;
    // "close" follows and says all there is to say.
    socket.on("error", () => undefined);
    socket.on("close", () => {
      if (this.#socket === socket) this.#socket = undefined;
    });
  }

  /** A new reader and writer. */
  open({ replayBytes, resume }: ReaderRequest): ConsoleStream {
    const reader = this.#read();
    const closing = new AbortController();
    const { log, begin, end } = this.#history;
    const isSame = resume !== undefined && resume.log === log && resume.at <= end;
    const from = isSame ? resume.at : end - Math.max(0, replayBytes);
    return {
      replay: Buffer.concat(this.#history.from(Math.max(from, end - keptBytes)).map(({ data }) => data)),
      isMissing: resume !== undefined && (!isSame || resume.at < begin),
      output: reader.output(),
      position: () => ({ log: this.#history.log, at: reader.at }),
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

  /** What is kept of the output, and a reader of what comes. */
  follow(): FollowedPort {
    const { log, begin } = this.#history;
    const reader = this.#read();
    const close = (): void => {
      this.#readers.delete(reader);
      reader.end();
    };
    return { past: this.#history.from(0), log, begin, live: reader.pieces(), close };
  }

  /** Ends the connection and all readers, after what they have yet to read. */
  close(): void {
    this.#socket?.destroy();
    this.#socket = undefined;
    for (const reader of this.#readers) reader.end();
    this.#readers.clear();
  }

  #read(): Reader {
    const reader = new Reader(this.#resource, this.#history.end);
    this.#readers.add(reader);
    return reader;
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
class Reader {
  readonly #resource: string;
  #pieces: Piece[] = [];
  #bytes = 0;
  #at: number;
  #ended = false;
  #overrun = false;
  #wake: (() => void) | undefined;

  constructor(resource: string, at: number) {
    this.#resource = resource;
    this.#at = at;
  }

  /** Where what has been read ends. */
  get at(): number {
    return this.#at;
  }

  push(piece: Piece): void {
    if (this.#ended || this.#overrun) return;
    this.#overrun = this.#bytes + piece.data.length > maxUnreadBytes;
    if (!this.#overrun) {
      this.#pieces.push(piece);
      this.#bytes += piece.data.length;
    }
    this.#wake?.();
  }

  end(): void {
    this.#ended = true;
    this.#wake?.();
  }

  /** What comes, as it comes. */
  async *pieces(): AsyncGenerator<Piece> {
    for (;;) {
      for (const piece of await this.#next()) {
        this.#at = piece.at + piece.data.length;
        yield piece;
      }
      if (this.#isOver()) return;
    }
  }

  /** All that is there, put together. */
  async *output(): AsyncGenerator<Uint8Array> {
    for (;;) {
      const pieces = await this.#next();
      const last = pieces.at(-1);
      if (last !== undefined) {
        this.#at = last.at + last.data.length;
        yield Buffer.concat(pieces.map(({ data }) => data));
      }
      if (this.#isOver()) return;
    }
  }

  #isOver(): boolean {
    return this.#ended && this.#pieces.length === 0;
  }

  /** Waits for something; nothing when it has ended. */
  async #next(): Promise<readonly Piece[]> {
    while (this.#pieces.length === 0 && !this.#ended && !this.#overrun) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    const pieces = this.#pieces;
    this.#pieces = [];
    this.#bytes = 0;
    if (pieces.length === 0 && this.#overrun) {
      throw resourceExhausted(
        "CONSOLE_READER_TOO_SLOW",
        `${this.#resource}: its console gave output faster than it was read; open it again`,
        this.#resource,
      );
    }
    return pieces;
  }
}
