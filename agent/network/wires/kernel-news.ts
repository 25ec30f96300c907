import type { ChildProcess } from "node:child_process";
import { Backoff } from "../../../lib/backoff.js";
import { splitLines } from "../../../lib/line-splitter.js";
import { startOwned } from "../../host/exec.js";

/** What changes devices, and what their filters. */
const monitors = [
  ["ip", "monitor", "link"],
  ["tc", "monitor"],
] as const;
const maxLineBytes = 64 * 1024;
const restart = { minMs: 200, maxMs: 10_000 } as const;
/** Of a device, with the index in front or behind "dev". */
const devicePattern = /(?:^(?:Deleted )?\d+: |\bdev )([A-Za-z0-9_.-]{1,15})\b/;

/** What the kernel tells of the devices of a net namespace and their filters, for as long as somebody wants to know. */
export class KernelNews {
  readonly #netns: string;
  readonly #onNews: (device: string | undefined) => void;
  readonly #ended = new AbortController();
  readonly #running: Promise<unknown>;

  /** @param onNews called with the device that changed, or undefined: any may have, because something was missed. */
  constructor(netns: string, onNews: (device: string | undefined) => void) {
    this.#netns = netns;
    this.#onNews = onNews;
    this.#running = Promise.all(monitors.map((monitor) => this.#listen(monitor)));
  }

  async close(): Promise<void> {
    this.#ended.abort();
    await this.#running;
  }

  async #listen([tool, ...words]: readonly [string, ...string[]]): Promise<void> {
    const { signal } = this.#ended;
    const backoff = new Backoff(restart);
    while (!signal.aborted) {
      const child = startOwned([tool, "-n", this.#netns, ...words], { stdio: ["ignore", "pipe", "ignore"] });
      const stop = (): void => void child.kill();
      signal.addEventListener("abort", stop);
      await this.#read(child);
      signal.removeEventListener("abort", stop);
      if (!signal.aborted) await backoff.wait(signal);
      // Between two of them nobody listened.
      if (!signal.aborted) this.#onNews(undefined);
    }
  }

  async #read(child: ChildProcess): Promise<void> {
    const ended = new Promise<void>((resolve) => {
      child.once("exit", () => resolve());
      child.once("error", () => resolve());
    });
    const take = splitLines(maxLineBytes, (line) => {
      const device = devicePattern.exec(line)?.[1];
      if (device !== undefined) this.#onNews(device);
    });
    child.stdout?.on("data", (chunk: Buffer) => {
      if (take(chunk)) return;
      child.stdout?.removeAllListeners("data");
      child.kill();
    });
    await ended;
  }
}
