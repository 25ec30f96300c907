import { messageOf } from "../../../lib/errors.js";
import { KeyedQueue } from "../../../lib/keyed-queue.js";
import type { Log } from "../../../lib/log.js";
import { findDevice } from "../../../lib/net/device.js";
import type { PortRate } from "../../../proto/gen/zor/v1/port.js";
import { KernelNews } from "../wires/kernel-news.js";
import { limitedPorts, limitRate, shownRate, unlimitRate } from "./rate-qdisc.js";

interface Limit {
  readonly rate: PortRate;
  /** What tc shows of it where it holds; "": it is not made yet. */
  shown: string;
}

/** Keeps the rates at which frames leave ports: set again when somebody changes one, or makes the port anew. */
export class PortRates {
  readonly #netns: string;
  readonly #log: Log;
  readonly #tell: (port: string, fault: string) => void;
  readonly #limits = new Map<string, Limit>();
  readonly #queue = new KeyedQueue(1024);
  readonly #pending = new Set<string>();
  /** Ports on which an agent before this one has left a limit. */
  #left: Promise<Set<string>> | undefined;
  #news: KernelNews | undefined;
  #isClosed = false;

  /** @param options.tell called with what is wrong with a port's limit, for people, and with "" when it holds again. */
  constructor(options: {
    readonly netns: string;
    readonly log: Log;
    readonly tell: (port: string, fault: string) => void;
  }) {
    this.#netns = options.netns;
    this.#log = options.log;
    this.#tell = options.tell;
  }

  /**
   * Limits what leaves a port, or takes the limit back. Idempotent. A port that is not there gets it as soon as it is.
   * @throws {ZorError} FAILED_PRECONDITION: this kernel cannot; the limit is what it was then. {ToolError}
   */
  async set(port: string, rate: PortRate | undefined): Promise<void> {
    await this.#queue.run(port, async () => {
      const left = await this.#leftovers();
      if (rate === undefined) {
        const isLimited = this.#limits.delete(port) || left.delete(port);
        if (isLimited) await unlimitRate({ netns: this.#netns, port });
        return await this.#listen();
      }
      const limit: Limit = { rate, shown: "" };
      if (this.#isThere(port)) limit.shown = await limitRate({ netns: this.#netns, port }, rate);
      this.#limits.set(port, limit);
      await this.#listen();
    });
  }

  /** Looks after them no more; they stay. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#news?.close();
  }

  async #leftovers(): Promise<Set<string>> {
    this.#left ??= limitedPorts(this.#netns).then((ports) => new Set(ports));
    return await this.#left.catch((error: unknown) => {
      this.#left = undefined;
      this.#log.warn({ err: error }, "whether rates of ports were limited before is not known");
      return new Set<string>();
    });
  }

  /** The kernel's news are wanted for as long as there are limits. */
  async #listen(): Promise<void> {
    if (this.#limits.size > 0 && !this.#isClosed) {
      this.#news ??= new KernelNews(this.#netns, (device) => this.#onNews(device));
      return;
    }
    const news = this.#news;
    this.#news = undefined;
    await news?.close();
  }

  #onNews(device: string | undefined): void {
    for (const port of device === undefined ? [...this.#limits.keys()] : [device]) {
      // What comes while it is looked at is seen by the look after.
      if (this.#isClosed || this.#pending.has(port) || !this.#limits.has(port)) continue;
      this.#pending.add(port);
      void this.#look(port);
    }
  }

  /** Never rejects. */
  async #look(port: string): Promise<void> {
    await this.#queue.run(port, async () => {
      this.#pending.delete(port);
      const limit = this.#limits.get(port);
      if (limit === undefined || !this.#isThere(port)) return;
      try {
        const shown = await shownRate({ netns: this.#netns, port });
        if (shown !== "" && shown === limit.shown) return;
        this.#log.warn({ port, shown }, "the rate limit of a port was changed by somebody else; it is set again");
        this.#tell(port, "its rate limit (rate_out) was taken off at the host");
        limit.shown = await limitRate({ netns: this.#netns, port }, limit.rate);
        this.#tell(port, "");
      } catch (error) {
        if (!this.#isThere(port) || this.#isClosed) return;
        this.#log.warn({ port, err: error }, "the rate limit of a port could not be set again");
        this.#tell(port, `its rate limit (rate_out) does not hold: ${messageOf(error)}`);
      }
    });
  }

  #isThere(port: string): boolean {
    return findDevice(this.#netns, port) !== undefined;
  }
}
