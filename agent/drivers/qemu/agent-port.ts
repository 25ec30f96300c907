import { Backoff } from "../../../lib/backoff.js";
import { failedPrecondition } from "../../../lib/errors.js";
import type { Log } from "../../../lib/log.js";
import { timeLimit } from "../../../lib/time-limit.js";
import { connectUnix, keptUnless } from "../../host/unix-socket.js";
import { GuestAgent } from "./guest-agent.js";
import { endForeignStreams } from "./guest-stream.js";
import { socketNames } from "./ids.js";

/** What an {@link AgentPort} needs. */
export interface AgentPortOptions {
  /** Resource name for errors and logs. */
  readonly resource: string;
  /** QEMU's working directory, with its sockets. */
  readonly runDirectory: string;
  readonly log: Log;
  /** The machine was started by this process: no other can have left commands in it. */
  readonly isNew: boolean;
  /** The agent has answered. */
  readonly onReady: () => void;
}

const connectTimeoutMs = 5000;
const syncTimeoutMs = 3000;

/** The port through which a machine's guest agent is reached, and the connection to it, made again when it breaks. */
export class AgentPort {
  readonly #options: AgentPortOptions;
  #agent: GuestAgent | undefined;
  #connecting: Promise<GuestAgent> | undefined;
  #isReady = false;
  /** Aborts when the agent leaves its port, or is not observed any more. */
  #open: AbortController | undefined;

  constructor(options: AgentPortOptions) {
    this.#options = options;
  }

  /** Commands can be run inside: the guest agent has answered. */
  get isReady(): boolean {
    return this.#isReady;
  }

  /**
   * The guest agent, connected.
   * @param startTime when the machine was started, to be told when no agent answers.
   * @throws {ZorError} FAILED_PRECONDITION when none runs inside; UNAVAILABLE when it does not answer.
   */
  async get(startTime?: Date): Promise<GuestAgent> {
    if (!this.#isReady || this.#open === undefined) throw this.#notReady(startTime);
    if (this.#agent !== undefined && !this.#agent.isClosed) return this.#agent;
    // Of several callers one connects: QEMU takes one client at a time.
    this.#connecting ??= this.#connect(this.#open.signal).finally(() => {
      this.#connecting = undefined;
    });
    this.#agent = await this.#connecting;
    return this.#agent;
  }

  /** Greets the agent until it answers, for as long as it holds its port open. Never rejects: that none answers is a state, no error. */
  async greet(): Promise<void> {
    this.#open?.abort();
    const open = new AbortController();
    this.#open = open;
    const backoff = new Backoff({ minMs: 100, maxMs: 5000 });
    while (!open.signal.aborted) {
      try {
        const agent = await this.#connect(open.signal);
        if (open.signal.aborted) return agent.close();
        if (!this.#options.isNew) await endForeignStreams(agent, this.#options.resource);
        this.#agent = agent;
        this.#isReady = true;
        this.#options.onReady();
        return;
      } catch (error) {
        this.#options.log.debug({ err: error, resource: this.#options.resource }, "the guest agent does not answer");
        await backoff.wait(open.signal);
      }
    }
  }

  /** The agent has left its port, or is not observed any more. */
  lose(): void {
    this.#open?.abort();
    this.#open = undefined;
    this.#isReady = false;
    this.#agent?.close();
    this.#agent = undefined;
  }

  async #connect(abort: AbortSignal): Promise<GuestAgent> {
    const { runDirectory, resource } = this.#options;
    this.#agent?.close();
    const signal = AbortSignal.any([abort, timeLimit(connectTimeoutMs)]);
    const socket = keptUnless(abort, await connectUnix(runDirectory, socketNames.guestAgent, { signal }));
    const onAbort = () => socket.destroy();
    abort.addEventListener("abort", onAbort, { once: true });
    socket.once("close", () => abort.removeEventListener("abort", onAbort));
    return await GuestAgent.open(socket, { resource, timeoutMs: syncTimeoutMs });
  }

  #notReady(startTime: Date | undefined): Error {
    const { resource } = this.#options;
    const age =
      startTime === undefined ? "" : `; it was started ${Math.round((Date.now() - startTime.getTime()) / 1000)} s ago`;
    return failedPrecondition(
      "GUEST_AGENT_NOT_READY",
      resource,
      `${resource}: no guest agent answers${age}; wait until exec_ready is true, or install qemu-guest-agent inside`,
    );
  }
}
