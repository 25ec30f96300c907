import { messageOf } from "../../lib/errors.js";
import type { Connection } from "../../lib/grpc/connection.js";
import type { AttachConsoleRequest, ConsoleOpen, TerminalSize } from "../../proto/gen/zor/v1/console_service.js";
import { escapeText } from "../kit/text/escape.js";
import { sessionText } from "./console.js";
import { followConsole } from "./follow-console.js";
import { PaneInput } from "./pane-input.js";

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
/** Opens the console of "hosts/{host}/instances/{instance}" for a part of the screen. */
export function openPaneConsole(connection: Connection, name: string, request: PaneRequest): PaneConsole {
  const input = new PaneInput<ConsoleOpen, AttachConsoleRequest>(request.size, (message) => ({ message }));
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
