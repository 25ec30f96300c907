import { resourceExhausted } from "../../../lib/errors.js";

/** Output that a reader may leave unread before it is cut off. */
const maxUnreadBytes = 1024 * 1024;

/** One reader: a queue bounded in bytes, since a serial line delivers a few at a time. */
export class ConsoleReader implements AsyncIterable<Uint8Array> {
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
