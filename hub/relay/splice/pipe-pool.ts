import { close } from "../../../lib/libc.js";
import { openPipe } from "./native.js";

/** Bytes of each pipe, and so what of each direction of a pair waits in the hub at most, beyond TCP's own windows. */
export const pipeBytes = 256 * 1024;
/** Empty pipes that are kept for the next who needs one. */
const spare = 16;

/** A pipe of the kernel, through which bytes move between sockets without being copied. */
export interface Pipe {
  readonly readFd: number;
  readonly writeFd: number;
}

/** Pipes for those that have bytes under way: a silent pair needs none. */
export class PipePool {
  readonly #spare: Pipe[] = [];
  readonly #taken = new Set<Pipe>();

  /** @throws when there are too many open files. */
  take(): Pipe {
    const pipe = this.#spare.pop() ?? openPipe(pipeBytes);
    this.#taken.add(pipe);
    return pipe;
  }

  /** @param isEmpty whether all that was put into it was taken out of it; else nobody may have it any more. */
  giveBack(pipe: Pipe, isEmpty: boolean): void {
    this.#taken.delete(pipe);
    if (isEmpty && this.#spare.length < spare) this.#spare.push(pipe);
    else closePipe(pipe);
  }

  close(): void {
    for (const pipe of [...this.#taken, ...this.#spare]) closePipe(pipe);
    this.#taken.clear();
    this.#spare.length = 0;
  }
}

function closePipe({ readFd, writeFd }: Pipe): void {
  close(readFd);
  close(writeFd);
}
