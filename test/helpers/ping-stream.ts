import { once } from "node:events";
import { eventually } from "./eventually.js";
import { spawnOwned } from "./owned.js";

/** A ping that goes on until it is asked how long it had no answer. Disposing of it ends it. */
export class PingStream implements AsyncDisposable {
  readonly #child: ReturnType<typeof spawnPing>;
  readonly #ended: Promise<unknown>;
  #output = "";

  private constructor(netns: string, address: string) {
    this.#child = spawnPing(netns, address);
    this.#child.stdout.on("data", (chunk: Buffer) => {
      this.#output += chunk.toString();
    });
    this.#ended = once(this.#child, "close");
  }

  /** Resolves when the first answers have come. */
  static async start(netns: string, address: string): Promise<PingStream> {
    const stream = new PingStream(netns, address);
    await stream.#answersAfter(0);
    return stream;
  }

  /** Longest time between two answers, in milliseconds, of which at least three came after it was asked. */
  async longestGapMs(): Promise<number> {
    await this.#answersAfter(this.#times().length);
    await this[Symbol.asyncDispose]();
    const times = this.#times();
    return Math.max(...times.slice(1).map((time, index) => (time - (times[index] ?? time)) * 1000));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGINT");
    await this.#ended;
  }

  async #answersAfter(count: number): Promise<void> {
    await eventually(() => {
      if (this.#times().length < count + 3) throw new Error("the ping is not answered");
    });
  }

  /** When answers came, in seconds. */
  #times(): number[] {
    return [...this.#output.matchAll(/^\[(\d+\.\d+)\] \d+ bytes from/gm)].map((match) => Number(match[1]));
  }
}

function spawnPing(netns: string, address: string) {
  const ping = ["ping", "-n", "-D", "-i", "0.05", "-W", "1", address];
  return spawnOwned("ip", ["netns", "exec", netns, ...ping], { stdio: ["ignore", "pipe", "ignore"] });
}
