import { readlink } from "node:fs/promises";
import { connect } from "node:net";
import { basename, join } from "node:path";
import { endProcess, findProcesses, type ProcessIdentity, waitForExit } from "../../../lib/process.js";
import { pumpProtocol, pumpSocket } from "./frames.js";

/** It is asked this often whether it answers, and given as long; so often in a row it may not. */
const [defaultLookMs, mostMisses] = [5000, 4];
/** One that is about to end by itself has done so in this time. */
const endMs = 1000;

/**
 * Sees to it that a pump which hangs, or which somebody has stopped, is ended, so that another takes its place: its guests wait for it, and
 * those who listen to it hear nothing of that. One timer for all ports, and none while nobody needs the pump.
 */
export class PumpWatch {
  readonly #directory: string;
  readonly #lookMs: number;
  #needed = 0;
  #misses = 0;
  #timer: NodeJS.Timeout | undefined;

  /** @param directory the pump's own. */
  constructor(directory: string, lookMs = defaultLookMs) {
    this.#directory = directory;
    this.#lookMs = lookMs;
  }

  /** Somebody needs the pump, until disposed of. */
  need(): Disposable {
    this.#needed += 1;
    this.#arm();
    return {
      [Symbol.dispose]: () => {
        this.#needed -= 1;
      },
    };
  }

  /** Ends those that run and do not end by themselves; nobody can reach them. Never rejects. */
  async endAll(): Promise<void> {
    const found = await findPumps(this.#directory).catch(() => []);
    await Promise.all(found.map(async (each) => (await waitForExit(each, endMs)) || (await endProcess(each, endMs))));
  }

  #arm(): void {
    this.#timer ??= setTimeout(() => void this.#look(), this.#lookMs).unref();
  }

  /** Never rejects. */
  async #look(): Promise<void> {
    // Who tries again and again does not need it in between.
    if (this.#needed === 0) this.#misses = Math.max(0, this.#misses - 1);
    // What is missed while this process was stopped is once only.
    else this.#misses = (await this.#answers()) ? 0 : this.#misses + 1;
    if (this.#misses >= mostMisses) {
      this.#misses = 0;
      await this.endAll();
    }
    this.#timer = undefined;
    if (this.#needed > 0 || this.#misses > 0) this.#arm();
  }

  /** One that has gone is another's matter: whoever needs it starts it. */
  #answers(): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const socket = connect(join(this.#directory, pumpSocket));
    const timer = setTimeout(() => resolve(false), this.#lookMs);
    socket.once("data", () => resolve(true));
    socket.once("error", ({ code }: NodeJS.ErrnoException) => resolve(code === "ENOENT" || code === "ECONNREFUSED"));
    socket.once("close", () => resolve(true));
    socket.write(`${JSON.stringify({ protocol: pumpProtocol, isProbe: true })}\n`);
    return promise.finally(() => {
      clearTimeout(timer);
      socket.destroy();
    });
  }
}

/** All pumps of a directory that run: at most one, unless one has lost its socket. Those of agents inside of containers are not meant. */
async function findPumps(directory: string): Promise<readonly ProcessIdentity[]> {
  const found = await findProcesses((argv) => {
    const [option, value] = argv.slice(-2);
    const isPump = argv.some((each) => basename(each, ".js") === "console-pump");
    return isPump && option === "--directory" && value === directory;
  });
  const spaces = await Promise.all(["self", ...found.map(({ pid }) => pid)].map(pidSpaceOf));
  return found.filter((_, index) => spaces[index + 1] === spaces[0]);
}

async function pidSpaceOf(pid: number | string): Promise<string | undefined> {
  return await readlink(`/proc/${pid}/ns/pid`).catch(() => undefined);
}
