import { errno, errnoName, lastErrno } from "../../../lib/libc.js";
import { endSending, splice } from "./native.js";
import { type Pipe, type PipePool, pipeBytes } from "./pipe-pool.js";

/** Bytes that a direction may move before others have their turn. */
const turnBytes = 1024 * 1024;

/** A socket of a pair as its thread knows it. Whether it can be read or written holds until a call says that it cannot. */
export interface PairSocket {
  readonly fd: number;
  readable: boolean;
  writable: boolean;
}

/** A socket broke. */
export class BrokenSocket extends Error {}

/** Moves bytes from one socket to another, through a pipe and never through this process (splice(2)). */
export class Direction {
  readonly #from: PairSocket;
  readonly #to: PairSocket;
  readonly #pipes: PipePool;
  #pipe: Pipe | undefined;
  #inPipe = 0;
  /** `from` has said that nothing more comes. */
  #ended = false;
  /** The same was said to `to`. */
  #over = false;

  constructor(from: PairSocket, to: PairSocket, pipes: PipePool) {
    this.#from = from;
    this.#to = to;
    this.#pipes = pipes;
  }

  /** Everything was passed on, the end too. */
  get isOver(): boolean {
    return this.#over;
  }

  /**
   * Moves what can be moved now. `more`: others should have their turn, and then this again.
   * @throws {BrokenSocket} @throws {Error} there is no pipe.
   */
  move(): { readonly bytes: number; readonly more: boolean } {
    let bytes = 0;
    for (;;) {
      const taken = this.#fill();
      const given = this.#drain();
      bytes += given;
      if (this.#inPipe === 0) this.#letPipeGo();
      if (this.#ended && this.#inPipe === 0 && !this.#over) {
        this.#over = true;
        endSending(this.#to.fd);
      }
      if (taken + given === 0) return { bytes, more: false };
      if (bytes >= turnBytes) return { bytes, more: true };
    }
  }

  /** Lets go of what is under way. */
  release(): void {
    this.#letPipeGo();
  }

  /** Takes from the socket into the pipe. @returns bytes. */
  #fill(): number {
    if (this.#ended || !this.#from.readable || this.#inPipe >= pipeBytes) return 0;
    this.#pipe ??= this.#pipes.take();
    const count = splice(this.#from.fd, this.#pipe.writeFd, pipeBytes - this.#inPipe);
    if (count > 0) this.#inPipe += count;
    else if (count === 0) this.#ended = true;
    // The kernel says the same of a socket without bytes and of a full pipe, which can be full with few bytes in many small pieces.
    else if (isAgain()) this.#from.readable = this.#inPipe > 0;
    return Math.max(0, count);
  }

  /** Gives to the socket from the pipe. @returns bytes. */
  #drain(): number {
    if (this.#pipe === undefined || this.#inPipe === 0 || !this.#to.writable) return 0;
    const count = splice(this.#pipe.readFd, this.#to.fd, this.#inPipe);
    if (count > 0) this.#inPipe -= count;
    else if (count < 0 && isAgain()) this.#to.writable = false;
    return Math.max(0, count);
  }

  #letPipeGo(): void {
    if (this.#pipe !== undefined) this.#pipes.giveBack(this.#pipe, this.#inPipe === 0);
    this.#pipe = undefined;
  }
}

/** Whether the last call failed only because it would have had to wait. @throws {BrokenSocket} when it failed for another reason. */
function isAgain(): boolean {
  const code = lastErrno();
  if (code === errno.EAGAIN) return true;
  throw new BrokenSocket(errnoName(code));
}
