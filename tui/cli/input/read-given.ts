import { constants, createReadStream, open as openFile } from "node:fs";
import { stat } from "node:fs/promises";
import { Socket } from "node:net";
import { addAbortSignal, type Readable } from "node:stream";
import { promisify } from "node:util";
import { invalidArgument, messageOf } from "../../../lib/errors.js";
import { explained } from "../../../lib/tree/dir.js";

const open = promisify(openFile);
const mib = 1024 * 1024;
/** Paths of what the caller has open already, as a shell's `<(...)` has: the descriptor. */
const inherited = /^\/(?:dev|proc\/self)\/fd\/(\d+)$/;

/** How what a command line names is read. */
export interface GivenHow {
  /** What "-" stands for; default: it is a file like any other. */
  readonly input?: NodeJS.ReadableStream;
  /** Gives up the reading: a pipe may have nobody who writes into it. */
  readonly signal: AbortSignal;
  /** Most bytes, in whole MiB. Default: 16 MiB. */
  readonly mostBytes?: number;
}

/**
 * The text of a file, a pipe or standard input that the command line names, without a byte order mark.
 * @throws {ZorError} INVALID_ARGUMENT that names the option and says why it cannot be read, or that it is too large. @throws what is no
 *   ZorError when the signal has given it up.
 */
export async function readGiven(option: string, file: string, how: GivenHow): Promise<string> {
  const { input, signal, mostBytes = 16 * mib } = how;
  const isInput = input !== undefined && (file === "-" || file === "/dev/stdin");
  const shown = isInput ? "standard input" : file;
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    // Node's own streams are all of this type; what is typed less is standard input.
    const stream = isInput ? (input as Readable) : await opened(file);
    for await (const chunk of addAbortSignal(signal, stream)) {
      const next = Buffer.from(chunk as Uint8Array | string);
      bytes += next.length;
      if (bytes > mostBytes) break;
      chunks.push(next);
    }
  } catch (error) {
    if (signal.aborted) throw error;
    throw invalidArgument(option, messageOf(explained(error, shown === "" ? '""' : shown)));
  }
  if (bytes > mostBytes) throw invalidArgument(option, `${shown} is larger than ${mostBytes / mib} MiB`);
  return new TextDecoder().decode(Buffer.concat(chunks));
}

/**
 * A pipe is waited for by the loop: what waits in a thread, for somebody to open the other end or to write, keeps the process from ending,
 * even at a signal.
 */
async function opened(file: string): Promise<Readable> {
  if (!(await stat(file)).isFIFO()) return createReadStream(file);
  const [, descriptor] = inherited.exec(file) ?? [];
  // Opened anew a pipe whose writers are gone would not tell of its end.
  const fd =
    descriptor === undefined ? await open(file, constants.O_RDONLY | constants.O_NONBLOCK) : Number(descriptor);
  return new Socket({ fd, readable: true, writable: false });
}
