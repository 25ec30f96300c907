import type { Tone } from "./states.js";

/** Messages kept; the oldest go. */
const mostMessages = 1000;

/** Something that was said at the bottom. */
export interface Message {
  readonly text: string;
  readonly tone: Tone;
  /** When it was said last. */
  readonly atMs: number;
  /** How often it was said in a row. */
  readonly times: number;
}

/** Everything that was said at the bottom, for whoever looked away. */
export class MessageLog {
  #messages: Message[] = [];
  readonly #listeners = new Set<(text: string, tone: Tone) => void>();

  /** The newest last. */
  get all(): readonly Message[] {
    return this.#messages;
  }

  /** Tells of each message as it is said. */
  listen(listener: (text: string, tone: Tone) => void): void {
    this.#listeners.add(listener);
  }

  add(text: string, tone: Tone, atMs: number): void {
    for (const listener of this.#listeners) listener(text, tone);
    const last = this.#messages.at(-1);
    if (last?.text === text && last.tone === tone) {
      this.#messages[this.#messages.length - 1] = { ...last, atMs, times: last.times + 1 };
      return;
    }
    this.#messages.push({ text, tone, atMs, times: 1 });
    if (this.#messages.length > mostMessages) this.#messages = this.#messages.slice(-mostMessages);
  }
}
