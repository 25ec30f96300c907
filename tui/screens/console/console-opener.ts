import type { CellSize } from "./guest-terminal.js";

/** What is told of a console that is open. */
export interface ConsoleListener {
  /** It is there; what comes first after a loss goes on where the output was. `missing`: some of it may be gone. */
  readonly onOpened: (opened: ConsoleFacts) => void;
  /** What the guest says; nothing more is read until it resolves. */
  readonly onData: (data: Uint8Array) => Promise<void>;
  /** The connection was lost, and is tried again. */
  readonly onLost: (why: string) => void;
}

/** What is known of a console when it is there. */
export interface ConsoleFacts {
  /** What is typed reaches the guest. */
  readonly writable: boolean;
  /** Some of the output since the connection was lost may be gone. */
  readonly missing: boolean;
  /** Who else is attached: "ana", "bob (looks)". */
  readonly others: readonly string[];
}

/** How a console is opened. */
export interface ConsoleRequest {
  readonly size: CellSize;
  /** Serial port, 0 to 3. */
  readonly port: number;
  readonly readOnly: boolean;
  /** Leaves the console. */
  readonly signal: AbortSignal;
  readonly listener: ConsoleListener;
}

/** A console that is being opened, or is open. */
export interface OpenConsole {
  /** Types; false: more is waiting already than a person types, and this was dropped. */
  send(data: string): boolean;
  /** Tells the guest its size, where that can be told. */
  resize(size: CellSize): void;
  /** How it ended, "": it was left. @throws {ZorError} when it cannot be opened. */
  readonly ended: Promise<string>;
}

/** Opens the console of "hosts/{host}/instances/{instance}", or a shell on "hosts/{host}". */
export type ConsoleOpener = (name: string, request: ConsoleRequest) => OpenConsole;
