import { PassThrough } from "node:stream";
import { messageOf } from "../../lib/errors.js";
import type { Connection } from "../../lib/grpc/connection.js";
import type { AttachConsoleRequest, ConsoleOpen, TerminalSize } from "../../proto/gen/zor/v1/console_service.js";
import { escapeText } from "../kit/text/escape.js";
import { sessionText } from "./console.js";
import { followConsole } from "./follow-console.js";

/** How a console is opened that has no terminal of its own. */
export interface PaneRequest {
  readonly size: TerminalSize;
  readonly port: number;
  readonly readOnly: boolean;
  readonly signal: AbortSignal;
  readonly listener: {
    readonly onOpened: (facts: {
      readonly writable: boolean;
      readonly missing: boolean;
      readonly others: readonly string[];
    }) => void;
    readonly onData: (data: Uint8Array) => Promise<void>;
    readonly onLost: (why: string) => void;
  };
}

/** Such a console. */
export interface PaneConsole {
  /** Types; false: it was not taken. */
  send(data: string): boolean;
  resize(size: TerminalSize): void;
  /** How it ended; "": it was left. @throws {ZorError} when it cannot be opened. */
  readonly ended: Promise<string>;
}

/** Bytes of what was said before that are shown first: the most that there are. */
const replayBytes = 65_536;
/** So much may wait to be sent: a person types less, and what is pasted waits. */
const mostWaitingBytes = 1024 * 1024;
/** What is pasted goes in pieces, which others come between. */
const pieceBytes = 4096;

/** Opens the console of "hosts/{host}/instances/{instance}" for a part of the screen. */
export function openPaneConsole(connection: Connection, name: string, request: PaneRequest): PaneConsole {
  const input = new PaneInput(request.size);
  const { port, readOnly, signal, listener } = request;
  const follow = async (): Promise<string> => {
    const end = await followConsole(connection, name, {
      signal,
      begin: (open) => input.begin(open),
      opening: () => ({ replayBytes, size: input.size, port, readOnly }),
      opened: async ({ writable, missing, others }) => {
        listener.onOpened({ writable, missing, others: others.map(sessionText) });
      },
      data: (data) => listener.onData(data),
      lost: async (error) => listener.onLost(escapeText(messageOf(error))),
      mayGoOn: () => true,
    });
    return end.kind === "detached" ? "" : end.reason;
  };
  return {
    send: (data) => input.type(Buffer.from(data)),
    resize: (size) => input.resize(size),
    ended: follow().finally(() => input.end()),
  };
}

/** What is typed, for calls that follow each other. */
class PaneInput {
  #requests = new PassThrough({ objectMode: true });
  #waitingBytes = 0;
  size: TerminalSize;

  constructor(size: TerminalSize) {
    this.size = size;
  }

  begin(open: ConsoleOpen): AsyncGenerator<AttachConsoleRequest> {
    this.#requests.end();
    const requests = new PassThrough({ objectMode: true });
    this.#requests = requests;
    this.#waitingBytes = 0;
    return this.#pass(open, requests);
  }

  async *#pass(open: ConsoleOpen, requests: PassThrough): AsyncGenerator<AttachConsoleRequest> {
    yield { message: { $case: "open", value: open } };
    for await (const request of requests as AsyncIterable<AttachConsoleRequest>) {
      yield request;
      if (request.message?.$case === "data") this.#waitingBytes -= request.message.value.length;
    }
  }

  type(data: Buffer): boolean {
    if (this.#requests.writableEnded || this.#waitingBytes + data.length > mostWaitingBytes) return false;
    this.#waitingBytes += data.length;
    for (let at = 0; at < data.length; at += pieceBytes) {
      this.#send({ $case: "data", value: data.subarray(at, at + pieceBytes) });
    }
    return true;
  }

  resize(size: TerminalSize): void {
    this.size = size;
    if (!this.#requests.writableEnded) this.#send({ $case: "resize", value: size });
  }

  end(): void {
    this.#requests.end();
  }

  #send(message: NonNullable<AttachConsoleRequest["message"]>): void {
    const request: AttachConsoleRequest = { message };
    this.#requests.write(request);
  }
}
