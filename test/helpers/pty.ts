import type { ChildProcess } from "node:child_process";
import { closeSync, constants, openSync, writeSync } from "node:fs";
import { ReadStream } from "node:tty";
import { checked, libc } from "../../lib/libc.js";
import { spawnOwned } from "./owned.js";

/** Columns and lines of a terminal. */
export interface TerminalSize {
  readonly columns: number;
  readonly rows: number;
}

const ioctl = libc.func("int ioctl(int fd, ulong request, void *argument)") as unknown as (
  fd: number,
  request: number,
  argument: Buffer,
) => number;
const ioctls = { TIOCSPTLCK: 0x40045431, TIOCGPTN: 0x80045430, TIOCSWINSZ: 0x5414 };

/**
 * A program in a pseudo terminal of its own (pty(7)), which is its controlling terminal, with nothing between: what it writes is seen as it
 * is, in the moment it is written. For what a screen looks like there is helpers/tmux.ts.
 */
export class PtyProgram implements AsyncDisposable {
  readonly child: ChildProcess;
  readonly #master: number;
  readonly #output: ReadStream;
  readonly #ended: Promise<void>;
  /** Told of everything that the program writes. */
  onOutput: (bytes: Buffer) => void = () => undefined;

  /** Starts a program; it ends with this process at the latest. */
  constructor(
    [file, ...argv]: readonly [string, ...string[]],
    size: TerminalSize,
    env: Readonly<Record<string, string | undefined>>,
  ) {
    this.#master = openSync("/dev/ptmx", constants.O_RDWR | constants.O_NOCTTY);
    const word = Buffer.alloc(4);
    checked("ioctl TIOCSPTLCK", ioctl(this.#master, ioctls.TIOCSPTLCK, word));
    checked("ioctl TIOCGPTN", ioctl(this.#master, ioctls.TIOCGPTN, word));
    this.resize(size);
    const slave = openSync(`/dev/pts/${word.readInt32LE()}`, constants.O_RDWR | constants.O_NOCTTY);
    this.child = spawnOwned("setsid", ["--ctty", file, ...argv], { env, stdio: [slave, slave, slave] });
    closeSync(slave);
    this.#ended = new Promise((resolve) => this.child.once("exit", () => resolve()));
    this.#output = new ReadStream(this.#master);
    this.#output.on("data", (bytes: Buffer) => this.onOutput(bytes));
    // EIO is how the end of the last program in a terminal is told.
    this.#output.on("error", () => undefined);
  }

  /** Types bytes. */
  type(text: string): void {
    writeSync(this.#master, text);
  }

  resize({ columns, rows }: TerminalSize): void {
    const size = Buffer.alloc(8);
    size.writeUInt16LE(rows, 0);
    size.writeUInt16LE(columns, 2);
    checked("ioctl TIOCSWINSZ", ioctl(this.#master, ioctls.TIOCSWINSZ, size));
  }

  /** Waits until the program has ended. */
  async ended(): Promise<void> {
    await this.#ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill("SIGTERM");
    await this.#ended;
    this.#output.destroy();
  }
}
