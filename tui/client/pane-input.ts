import { PassThrough } from "node:stream";
import type { TerminalSize } from "../../proto/gen/zor/v1/console_service.js";

/** What is sent after the opening. */
type PaneMessage =
  | { readonly $case: "data"; readonly value: Buffer }
  | { readonly $case: "resize"; readonly value: TerminalSize };

/** So much may wait to be sent: a person types less, and what is pasted waits. */
const mostWaitingBytes = 1024 * 1024;
/** What is pasted goes in pieces, which others come between. */
const pieceBytes = 4096;

/** What is typed in a part of the screen, for calls that follow each other. */
export class PaneInput<Open, Request> {
  readonly #toRequest: (message: PaneMessage | { readonly $case: "open"; readonly value: Open }) => Request;
  #messages = new PassThrough({ objectMode: true });
  #waitingBytes = 0;
  size: TerminalSize;

  constructor(
    size: TerminalSize,
    toRequest: (message: PaneMessage | { readonly $case: "open"; readonly value: Open }) => Request,
  ) {
    this.size = size;
    this.#toRequest = toRequest;
  }

  /** What a new call sends, the opening first. */
  begin(open: Open): AsyncGenerator<Request> {
    this.#messages.end();
    const messages = new PassThrough({ objectMode: true });
    this.#messages = messages;
    this.#waitingBytes = 0;
    return this.#pass(open, messages);
  }

  async *#pass(open: Open, messages: PassThrough): AsyncGenerator<Request> {
    yield this.#toRequest({ $case: "open", value: open });
    for await (const message of messages as AsyncIterable<PaneMessage>) {
      yield this.#toRequest(message);
      if (message.$case === "data") this.#waitingBytes -= message.value.length;
    }
  }

  /** False: more is waiting already, and this is dropped. */
  type(data: Buffer): boolean {
    if (this.#messages.writableEnded || this.#waitingBytes + data.length > mostWaitingBytes) return false;
    this.#waitingBytes += data.length;
    for (let at = 0; at < data.length; at += pieceBytes) {
      this.#send({ $case: "data", value: data.subarray(at, at + pieceBytes) });
    }
    return true;
  }

  resize(size: TerminalSize): void {
    this.size = size;
    if (!this.#messages.writableEnded) this.#send({ $case: "resize", value: size });
  }

  end(): void {
    this.#messages.end();
  }

  #send(message: PaneMessage): void {
    this.#messages.write(message);
  }
}
