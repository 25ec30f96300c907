import type { ServerHttp2Session, ServerHttp2Stream } from "node:http2";
import type { Socket } from "node:net";
import type { ZorError } from "../errors.js";
import type { Deed } from "./conduct.js";
import type { GuardedCall } from "./guarded-call.js";
import type { Owner } from "./quota.js";

/** A SETTINGS frame costs as much as several PINGs: each is applied and acknowledged. */
const settingsCost = 5;

/** What a {@link GuardedSession} is made of. */
export interface GuardedSessionOptions {
  readonly session: ServerHttp2Session;
  /** On which it runs: what comes from the network, TLS included. */
  readonly socket: Pick<Socket, "bytesRead">;
  readonly owner: Owner;
  /** Counts what the peer did. */
  readonly note: (deed: Deed, amount: number) => void;
  /** What every call is answered: the connection is there only to say so. */
  readonly refusal: ZorError | undefined;
}

/** One connection: what it sends besides messages, and its calls. */
export class GuardedSession {
  readonly owner: Owner;
  readonly refusal: ZorError | undefined;
  readonly calls = new Set<GuardedCall>();
  readonly #streams = new WeakSet<ServerHttp2Stream>();
  readonly #socket: Pick<Socket, "bytesRead">;
  readonly #note: (deed: Deed, amount: number) => void;
  #messageBytes = 0;
  #overheadBytes = 0;

  constructor({ session, socket, owner, note, refusal }: GuardedSessionOptions) {
    this.owner = owner;
    this.refusal = refusal;
    this.#socket = socket;
    this.#note = note;
    session.on("ping", () => note("control", 1));
    // The first belong to the connection, which has been counted.
    session.once("remoteSettings", () => session.on("remoteSettings", () => note("control", settingsCost)));
  }

  /** A call began on this connection. */
  add(call: GuardedCall): void {
    this.calls.add(call);
    this.#streams.add(call.stream);
    call.stream.once("close", () => {
      this.calls.delete(call);
      this.#messageBytes += call.receivedBytes;
    });
  }

  /** Whether the stream is one of a call that was added. */
  has(stream: ServerHttp2Stream): boolean {
    return this.#streams.has(stream);
  }

  /** Bytes of all calls that wait to be read. */
  get queuedBytes(): number {
    let sum = 0;
    for (const { queuedBytes } of this.calls) sum += queuedBytes;
    return sum;
  }

  /** Looks at what came besides messages and, if asked to, at the calls. */
  look(nowMs: number, atCalls: boolean): void {
    let messages = this.#messageBytes;
    for (const { receivedBytes } of this.calls) messages += receivedBytes;
    // Bytes of calls that ended early are never messages; those under way may be between the socket and the call.
    const overhead = Math.max(this.#overheadBytes, this.#socket.bytesRead - messages);
    if (overhead > this.#overheadBytes) this.#note("overhead", overhead - this.#overheadBytes);
    this.#overheadBytes = overhead;
    if (atCalls) for (const call of [...this.calls]) call.look(nowMs);
  }
}
