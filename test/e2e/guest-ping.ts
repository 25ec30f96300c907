import type { TestDemo } from "./test-demo.js";
import { eventually } from "./test-demo.js";

/** Milliseconds between two pings. */
const intervalMs = 50;
const logFile = "/tmp/ping.log";

/** What a ping that ran through an incident saw. */
export interface PingTrace {
  readonly answered: number;
  readonly lost: number;
  /** Longest time between two answered pings, in milliseconds. */
  readonly longestGapMs: number;
}

/** A ping that runs inside a guest on its own, so that it goes on while agent and hub are away. */
export class GuestPing {
  readonly #demo: TestDemo;
  readonly #guest: string;

  private constructor(demo: TestDemo, guest: string) {
    this.#demo = demo;
    this.#guest = guest;
  }

  /** Begins to ping `address` from inside `guest` ("alpha/vm1"); resolves once answers come. */
  static async start(demo: TestDemo, guest: string, address: string): Promise<GuestPing> {
    const command = `ping -i ${intervalMs / 1000} ${address} >${logFile} 2>&1 </dev/null &`;
    await demo.must(["exec", guest, "--", "sh", "-c", command]);
    const ping = new GuestPing(demo, guest);
    await ping.waitForMore();
    return ping;
  }

  /** Resolves once more answers than now have come. */
  async waitForMore(): Promise<void> {
    const before = (await this.#sequences()).length;
    await eventually(`more answers to the ping in ${this.#guest}`, 30_000, async () =>
      (await this.#sequences()).length > before + 5 ? true : undefined,
    );
  }

  /** Ends the ping and tells what it saw. */
  async stop(): Promise<PingTrace> {
    await this.#demo.must(["exec", this.#guest, "--", "killall", "-INT", "ping"]);
    return traceOf(await this.#sequences());
  }

  async #sequences(): Promise<number[]> {
    const command = `grep -o "seq=[0-9]*" ${logFile}; true`;
    const log = await this.#demo.must(["exec", this.#guest, "--", "sh", "-c", command]);
    return [...log.matchAll(/seq=(\d+)/g)].map((match) => Number(match[1]));
  }
}

function traceOf(sequences: readonly number[]): PingTrace {
  const steps = sequences.slice(1).map((sequence, index) => sequence - (sequences[index] ?? 0));
  const lost = steps.reduce((sum, step) => sum + Math.max(0, step - 1), 0);
  return { answered: sequences.length, lost, longestGapMs: Math.max(0, ...steps) * intervalMs };
}
