import type { Socket } from "node:net";
import type { RelayedState } from "../relay-link.js";
import { type HubMessage, lineOf, type RelayMessage } from "./messages.js";

/** A hub that does not take what it is told is let go of with so many bytes unread. */
const maxUnreadBytes = 16 * 1024 * 1024;
/** How long an end that nobody knows waits for the hub's word on it. */
const answerMs = 2_000;

/** The hub as the relay knows it: there or not. What it is to be told of bytes waits for it. */
export class HubSide {
  readonly #asked = new Map<number, () => void>();
  #socket: Socket | undefined;
  #nextAsk = 1;
  #states = new Map<string, RelayedState>();
  readonly #bytes = new Map<string, number>();

  get isThere(): boolean {
    return this.#socket !== undefined;
  }

  /** A hub has come; the one before, if there is one, is gone. */
  take(socket: Socket): void {
    this.#socket?.destroy();
    this.#socket = socket;
    this.#states.clear();
  }

  /** @returns whether it was the hub that there is. */
  lose(socket: Socket): boolean {
    if (this.#socket !== socket) return false;
    this.#socket = undefined;
    for (const answered of this.#asked.values()) answered();
    this.#asked.clear();
    return true;
  }

  tell(message: RelayMessage): void {
    const socket = this.#socket;
    if (socket === undefined) return;
    if (socket.writableLength > maxUnreadBytes) socket.destroy();
    else socket.write(lineOf(message));
  }

  /** What changes at once is told at once. */
  tellState(linkUid: string, state: RelayedState): void {
    if (this.#socket === undefined) return;
    if (this.#states.size === 0) queueMicrotask(() => this.#tellStates());
    this.#states.set(linkUid, state);
  }

  addBytes(linkUid: string, bytes: number): void {
    this.#bytes.set(linkUid, (this.#bytes.get(linkUid) ?? 0) + bytes);
  }

  tellBytes(): void {
    if (this.#bytes.size === 0 || this.#socket === undefined) return;
    this.tell({ type: "bytes", links: Object.fromEntries(this.#bytes) });
    this.#bytes.clear();
  }

  /** Resolves when the hub has said whom it lets in for the link, or is not there to say it. */
  async ask(linkUid: string): Promise<void> {
    if (this.#socket === undefined) return;
    const ask = this.#nextAsk;
    this.#nextAsk += 1;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, answerMs);
    this.#asked.set(ask, resolve);
    this.tell({ type: "ask", ask, link: linkUid });
    await promise;
    clearTimeout(timer);
    this.#asked.delete(ask);
  }

  answered({ answers }: Extract<HubMessage, { type: "links" }>): void {
    if (answers !== undefined) this.#asked.get(answers)?.();
  }

  #tellStates(): void {
    this.tell({ type: "states", links: Object.fromEntries(this.#states) });
    this.#states.clear();
  }
}
