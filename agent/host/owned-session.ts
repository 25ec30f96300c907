import type { ChildProcess } from "node:child_process";
import { closeSync, write } from "node:fs";
import { constants } from "node:os";
import type { Readable, Writable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { ReadStream } from "node:tty";
import { AsyncQueue } from "../../lib/async-queue.js";
import { type OwnedOptions, startOwned } from "./exec.js";

/** A running command with its streams; it ends with this process. */
export interface OwnedSession extends AsyncDisposable {
  /** Its warden. */
  readonly child: ChildProcess;
  readonly outputs: readonly { readonly type: "stdout" | "stderr"; readonly stream: Readable }[];
  /** Gives it input; resolves when it takes more. */
  write(data: Uint8Array): Promise<void>;
  endInput(): Promise<void>;
}

/** One on a terminal of its own. */
export interface TerminalSession extends OwnedSession {
  resize(columns: number, rows: number): void;
}

/** What comes out of one, and at last how it ended: code 128 + n when it was ended by signal n. */
export type SessionOutput =
  | { readonly type: "stdout" | "stderr"; readonly data: Uint8Array }
  | { readonly type: "exit"; readonly code: number; readonly signal: number };

type Start = Omit<OwnedOptions, "stdio">;

/** Chunks of output held for a slow consumer before the command is made to wait. */
const maxHeldChunks = 32;
/** Output of the command may still be on its way when it has exited; a child it left behind may hold the pipe for ever. */
const drainMs = 300;
const endOfTransmission = Uint8Array.of(4);

/** Starts a command whose input and outputs are pipes. @param options.stdin there is input; else it sees its end at once. */
export function startOnPipes(
  command: readonly [string, ...string[]],
  { stdin: hasInput, ...options }: Start & { readonly stdin: boolean },
): OwnedSession {
  const child = startOwned(command, { ...options, stdio: [hasInput ? "pipe" : "ignore", "pipe", "pipe"] });
  const outputs = [
    { type: "stdout", stream: child.stdout },
    { type: "stderr", stream: child.stderr },
  ] as const;
  const { stdin } = child;
  stdin?.on("error", () => undefined); // The command need not read its input.
  return {
    child,
    outputs: outputs.flatMap(({ type, stream }) => (stream === null ? [] : [{ type, stream }])),
    write: async (data) => {
      if (stdin !== null && !stdin.write(data)) await drained(stdin);
    },
    endInput: async () => void stdin?.end(),
    [Symbol.asyncDispose]: async () => {
      child.stdout?.destroy();
      child.stderr?.destroy();
      stdin?.destroy();
    },
  };
}

/** How to start a command on a terminal. */
export interface TerminalStart extends Start {
  /** Its size in cells; 0: nothing is said of that. */
  readonly columns: number;
  readonly rows: number;
  /** Called with the terminal before anybody else has it. */
  readonly prepare?: (slave: number) => void;
}

/** Starts a command that has a pseudo-terminal of its own as its controlling terminal. Closing it hangs up. */
export async function startOnTerminal(
  command: readonly [string, ...string[]],
  { columns, rows, prepare, ...options }: TerminalStart,
): Promise<TerminalSession> {
  // Loaded on first use: the agent stays small as long as nobody opens a terminal.
  const { openPty, resizePty } = await import("./pty.js");
  const { master, slave } = openPty();
  let child: ChildProcess;
  try {
    if (columns > 0 && rows > 0) resizePty(master, columns, rows);
    prepare?.(slave);
    child = startOwned(["setsid", "--ctty", ...command], { ...options, stdio: [slave, slave, slave] });
  } catch (error) {
    closeSync(master);
    throw error;
  } finally {
    closeSync(slave);
  }
  const stream = new ReadStream(master);
  let isClosed = false;
  const send = async (data: Uint8Array) => {
    for (let rest = data; rest.length > 0 && !isClosed; ) {
      const written = await writeSome(master, rest);
      if (written === 0) await delay(5);
      rest = rest.subarray(written);
    }
  };
  return {
    child,
    outputs: [{ type: "stdout", stream }],
    write: send,
    endInput: () => send(endOfTransmission),
    resize: (width, height) => {
      if (!isClosed) resizePty(master, width, height);
    },
    [Symbol.asyncDispose]: async () => {
      isClosed = true;
      stream.destroy();
    },
  };
}

/** What a command says, and last how it ended. It is made to wait while nobody takes that. Once for each command. */
export function outputOf(session: OwnedSession): AsyncGenerator<SessionOutput> {
  const queue = new AsyncQueue<SessionOutput>(4096);
  collect(session, queue);
  return passOn(session, queue);
}

async function* passOn(session: OwnedSession, queue: AsyncQueue<SessionOutput>): AsyncGenerator<SessionOutput> {
  for await (const output of queue) {
    yield output;
    if (queue.size < maxHeldChunks / 2) for (const { stream } of session.outputs) stream.resume();
  }
}

/** Gives a command its input, and then its end. */
export async function feed(input: AsyncIterable<Uint8Array>, session: OwnedSession): Promise<void> {
  for await (const data of input) await session.write(data);
  await session.endInput();
}

/** It has ended. */
export function hasExited(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

/** Puts output and the exit code into the queue, in that order. */
function collect(session: OwnedSession, queue: AsyncQueue<SessionOutput>): void {
  const open = new Set(session.outputs.map(({ stream }) => stream));
  const allClosed = Promise.withResolvers<void>();
  for (const { type, stream } of session.outputs) {
    stream.on("data", (data: Buffer) => {
      queue.push({ type, data });
      if (queue.size >= maxHeldChunks) for (const each of session.outputs) each.stream.pause();
    });
    // Reading a terminal whose other side is closed fails with EIO: that is its end.
    stream.on("error", () => stream.destroy());
    stream.on("close", () => {
      open.delete(stream);
      if (open.size === 0) allClosed.resolve();
    });
  }
  session.child.on("error", (error) => queue.fail(error));
  session.child.on("exit", (code, signalName) => {
    const exit = toExit(code, signalName);
    const end = () => {
      queue.push(exit);
      queue.end();
    };
    // Held-back output comes before the exit code, however slow the consumer is.
    const drain = async () => {
      await Promise.race([allClosed.promise, delay(drainMs)]);
      while (open.size > 0 && [...open].some((stream) => stream.isPaused())) await delay(drainMs);
      end();
    };
    void drain();
  });
}

/** A container runtime, too, exits with 128 + n when the command was ended by signal n, as a shell does. */
function toExit(code: number | null, signalName: NodeJS.Signals | null): SessionOutput {
  const status = code ?? 128 + (signalName === null ? 0 : constants.signals[signalName]);
  const isSignal = status > 128 && status <= 128 + 31;
  return { type: "exit", code: status, signal: isSignal ? status - 128 : 0 };
}

function drained(stream: Writable): Promise<void> {
  return new Promise((resolve) => {
    stream.once("drain", resolve);
    stream.once("close", resolve);
  });
}

/** Writes to a descriptor that does not block; 0 when it is full or closed. */
function writeSome(fd: number, data: Uint8Array): Promise<number> {
  return new Promise((resolve) => {
    write(fd, data, (error, written) => resolve(error === null ? written : 0));
  });
}
