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

  /** The newest last. */
  get all(): readonly Message[] {
    return this.#messages;
  }

  add(text: string, tone: Tone, atMs: number): void {
    const last = this.#messages.at(-1);
    if (last?.text === text && last.tone === tone) {
      this.#messages[this.#messages.length - 1] = { ...last, atMs, times: last.times + 1 };
      return;
    }
    this.#messages.push({ text, tone, atMs, times: 1 });
    if (this.#messages.length > mostMessages) this.#messages = this.#messages.slice(-mostMessages);
  }
}
