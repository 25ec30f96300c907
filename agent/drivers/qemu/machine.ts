import { setTimeout as delay } from "node:timers/promises";
import { Backoff } from "../../../lib/backoff.js";
import { failedPrecondition, unavailable, type ZorError } from "../../../lib/errors.js";
import type { Log } from "../../../lib/log.js";
import { isAlive, type ProcessIdentity, waitForExit } from "../../../lib/process.js";
import { timeLimit } from "../../../lib/time-limit.js";
import { type ExitWatch, type ProcessExit, watchExit } from "../../host/process-exit.js";
import { connectUnix, keptUnless } from "../../host/unix-socket.js";
import type { PumpClient } from "../../pump/protocol/pump-client.js";
import type { ConsoleRequest, ConsoleStream } from "../driver.js";
import { AgentPort } from "./agent-port.js";
import type { FollowedPort } from "./console-mux.js";
import type { GuestAgent } from "./guest-agent.js";
import { guestAgentChardev, guestAgentPort, socketNames } from "./ids.js";
import { asObject, textOf } from "./json.js";
import { endIfHung } from "./last-moments.js";
import { type FirstSpeaker, LifeSigns, sumDiskUse } from "./life-signs.js";
import { type EndFacts, findOomReason, strongerReason } from "./machine-end.js";
import { narrowSockets } from "./narrow-sockets.js";
import { QmpClient, type QmpEvent, silentQemu } from "./qmp-client.js";
import { SerialPorts } from "./serial-ports.js";
import { ShutdownRequest } from "./shutdown-request.js";

/** What a {@link Machine} needs. */
export interface MachineOptions {
  /** Resource name for errors and logs. */
  readonly resource: string;
  readonly identity: ProcessIdentity;
  /** QEMU's working directory, with its sockets. */
  readonly runDirectory: string;
  /** Directory of the instance. */
  readonly directory: string;
  readonly serialPorts: number;
  /** Reads its serial ports. */
  readonly pump: PumpClient;
  /** What speaks on the console before the guest does. */
  readonly speaksFirst: FirstSpeaker;
  /** When it was started. */
  readonly startMs: number;
  /** Milliseconds without a sign of life until that is told. */
  readonly silentAfterMs: number;
  readonly log: Log;
  /** "paused", "resumed", "reset", "exec-ready", "silent", "alive" and "watchdog". */
  readonly onEvent: (type: string, message: string) => void;
  /** Called once when the process has ended. */
  readonly onEnd: (facts: Omit<EndFacts, "said">) => Promise<void>;
  /** How it ended, where this agent has started it and is told. */
  readonly exit?: Promise<ProcessExit> | undefined;
}

const connectTimeoutMs = 5000;
/** The clock that is asked may lag behind the timer. */
const silenceSlackMs = 50;
/** QEMU closes its sockets a little before it ends. */
const exitGraceMs = 3000;
/** A process that has ended is buried by its parent, and the kernel tells how it ended after that. */
const [burialMs, burialPollMs] = [1000, 20];

/** A running QEMU that the agent observes: its QMP connection, console and guest agent, each made again when it breaks. */
export class Machine {
  readonly identity: ProcessIdentity;
  readonly #options: MachineOptions;
  readonly #serial: SerialPorts;
  readonly #life: LifeSigns;
  #silenceTimer: NodeJS.Timeout | undefined;
  /** It was told that there is no sign of life. */
  #toldSilent = false;
  readonly #detached = new AbortController();
  readonly #exitWatch: ExitWatch;
  readonly #agent: AgentPort;
  readonly #shutdown = new ShutdownRequest((command, args) => this.execute(command, args));
  readonly #supervision: Promise<void>;
  readonly #listeners = new Set<(event: QmpEvent) => void>();
  #qmp: QmpClient | undefined;
  #shutdownReason: string | undefined;
  /** QEMU has told that its machine is off: it takes no more commands. */
  #isOff = false;
  #stopping = false;
  /** What has been told of its parts. */
  #problem: string | undefined;

  private constructor(options: MachineOptions & { readonly isNew: boolean }) {
    this.identity = options.identity;
    this.#options = options;
    this.#serial = new SerialPorts({ ...options, count: options.serialPorts });
    this.#exitWatch = watchExit(options.identity);
    this.#life = new LifeSigns(options);
    this.#serial.onOutput = (output) => this.#sign(() => this.#life.hear(output));
    const onReady = (): void => options.onEvent("exec-ready", "the guest agent answers");
    this.#agent = new AgentPort({ ...options, onReady });
    this.#armSilence();
    this.#supervision = this.#supervise();
  }

  /** Observes a running QEMU. Resolves at once; {@link ready} tells when it answers. */
  static async attach(options: MachineOptions & { readonly isNew: boolean }): Promise<Machine> {
    return new Machine(options);
  }

  /** Resource name of its instance. */
  get resource(): string {
    return this.#options.resource;
  }

  /** Commands can be run inside: the guest agent has answered. */
  get execReady(): boolean {
    return this.#agent.isReady;
  }

  /** It runs, and nothing has been heard or seen of a guest for long. */
  async isSilent(): Promise<boolean> {
    if (this.#life.isAlive || Date.now() - this.#life.sinceMs < this.#options.silentAfterMs) return false;
    const use = sumDiskUse(await this.execute("query-blockstats"));
    this.#sign(() => this.#life.look(use));
    this.#toldSilent = !this.#life.isAlive;
    return this.#toldSilent;
  }

  /** Takes note of what may be a sign of life. */
  #sign(note: () => void): void {
    note();
    if (!this.#life.isAlive || !this.#toldSilent) return;
    this.#toldSilent = false;
    this.#options.onEvent("alive", "");
  }

  #armSilence(): void {
    clearTimeout(this.#silenceTimer);
    const { silentAfterMs, onEvent } = this.#options;
    const restMs = Math.max(0, this.#life.sinceMs + silentAfterMs - Date.now());
    this.#silenceTimer = setTimeout(() => {
      if (!this.#life.isAlive && !this.#detached.signal.aborted) onEvent("silent", "");
    }, restMs + silenceSlackMs);
    this.#silenceTimer.unref();
  }

  /** Resolves to true when QEMU answers and the console is connected; false when it has ended or does not within the time. */
  async ready(timeoutMs: number, signal: AbortSignal): Promise<boolean> {
    const deadline = performance.now() + timeoutMs;
    const backoff = new Backoff({ minMs: 5, maxMs: 50 });
    while (performance.now() < deadline && !signal.aborted && !this.#detached.signal.aborted) {
      if (this.#qmp !== undefined && this.#serial.isConnected) return true;
      await backoff.wait(signal);
    }
    return false;
  }

  /** Resolves when commands can be run inside, observing has ended, or the time is over. */
  async waitForAgent(timeoutMs: number, signal: AbortSignal): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    const backoff = new Backoff({ minMs: 20, maxMs: 200 });
    while (!this.#agent.isReady && performance.now() < deadline && !signal.aborted && !this.#detached.signal.aborted) {
      await backoff.wait(signal);
    }
  }

  /** Runs a QMP command. @throws {ZorError} UNAVAILABLE when QEMU does not answer now. */
  async execute(command: string, args: Record<string, unknown> = {}, timeoutMs?: number): Promise<unknown> {
    return await this.#monitor().execute(command, args, timeoutMs);
  }

  /** Gives QEMU a descriptor with a QMP command. @throws {ZorError} UNAVAILABLE when QEMU does not answer now. */
  async executeWith(descriptor: number, command: string, args: Record<string, unknown> = {}): Promise<unknown> {
    return await this.#monitor().executeWith(descriptor, command, args);
  }

  /** Has a listener told of every event of QEMU until the returned function is called. */
  listen(listener: (event: QmpEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The state as QMP's query-status names it: "running", "paused", "prelaunch" and so on. */
  async queryStatus(): Promise<string> {
    return textOf(asObject(await this.execute("query-status")), "status");
  }

  /** Gives an interface carrier or takes it (QMP set_link). It stays so over resets of the guest. */
  async setLink(id: string, up: boolean): Promise<void> {
    await this.execute("set_link", { name: id, up });
  }

  /** Its CPUs have not run yet. */
  async isNew(): Promise<boolean> {
    return (await this.queryStatus()) === "prelaunch";
  }

  /**
   * Lets the CPUs of a new machine run; nothing when they ran before.
   * @param goesOn it has its memory from a file; they stand still for another reason.
   */
  async launch(goesOn = false): Promise<void> {
    if (!goesOn && !(await this.isNew())) return;
    await narrowSockets(this.#options);
    await this.execute("cont");
  }

  /** @throws {ZorError} FAILED_PRECONDITION when its CPUs are stopped: nothing inside can answer. */
  async assertNotPaused(): Promise<void> {
    const { resource } = this.#options;
    if ((await this.queryStatus()) !== "paused") return;
    throw failedPrecondition(
      "INSTANCE_PAUSED",
      resource,
      `${resource} is paused, so it cannot run commands; resume it first`,
    );
  }

  /**
   * The guest agent, connected.
   * @param startTime when the machine was started, to be told when no agent answers.
   * @throws {ZorError} FAILED_PRECONDITION when none runs inside; UNAVAILABLE when it does not answer.
   */
  async guestAgent(startTime?: Date): Promise<GuestAgent> {
    return await this.#agent.get(startTime);
  }

  /** The guest goes on from another time: whatever its agent was saying is over. */
  greetAgentAnew(): void {
    if (!this.#agent.isReady) return;
    this.#agent.lose();
    this.#greetAgent();
  }

  /** Asks the guest to shut down. @throws {ZorError} when it cannot be asked by any means. */
  async askToShutDown(attempt: number): Promise<void> {
    await this.#shutdown.ask(attempt, this.#agent.isReady ? await this.guestAgent().catch(() => undefined) : undefined);
  }

  /** The guest is asked no more: when it restarts, it restarts. */
  async giveUpShutdown(): Promise<void> {
    await this.#shutdown.giveUp();
  }

  /** Tells once of a part of the machine that is lost. */
  tellProblem(problem: string | undefined): void {
    if (problem !== undefined && problem !== this.#problem) this.#options.onEvent("hardware-lost", problem);
    this.#problem = problem;
  }

  openConsole(port: number, request: Pick<ConsoleRequest, "replayBytes" | "resume">): ConsoleStream {
    return this.#serial.openPort(port, request);
  }

  /** What a serial port has said, and says. @throws {ZorError} INVALID_ARGUMENT when there is no such port. */
  followConsole(port: number): FollowedPort {
    return this.#serial.follow(port);
  }

  /** The coming end is wanted and no failure. */
  expectEnd(): void {
    this.#stopping = true;
  }

  /** Resolves when QEMU has ended and that has been told, or observing has stopped. */
  async ended(): Promise<void> {
    await this.#supervision;
  }

  /** Stops observing and leaves QEMU alone. Resolves when nothing of this is left. */
  async detach(): Promise<void> {
    this.#detached.abort();
    clearTimeout(this.#silenceTimer);
    this.#disconnect();
    await this.#supervision;
    this.#exitWatch.close();
    await this.#serial.close();
  }

  async #supervise(): Promise<void> {
    const { signal } = this.#detached;
    const backoff = new Backoff({ minMs: 20, maxMs: 2000 });
    while (!signal.aborted) {
      const qmp = await this.#connect().catch((error: ZorError) => {
        this.#options.log.debug({ err: error, resource: this.#options.resource }, "QEMU does not answer yet");
        return undefined;
      });
      if (qmp !== undefined) {
        backoff.reset();
        await qmp.closed;
        this.#disconnect();
        if (!signal.aborted && (await waitForExit(this.identity, exitGraceMs))) return await this.#ended();
      }
      if (!signal.aborted && !(await isAlive(this.identity))) return await this.#ended();
      await backoff.wait(signal);
    }
  }

  async #connect(): Promise<QmpClient> {
    const { runDirectory, resource } = this.#options;
    const signal = AbortSignal.any([this.#detached.signal, timeLimit(connectTimeoutMs)]);
    const socket = keptUnless(signal, await connectUnix(runDirectory, socketNames.qmp, { signal }));
    const qmp = await QmpClient.open(socket, { resource, onEvent: (event) => this.#onEvent(event) });
    try {
      this.#serial.connect();
      this.#qmp = qmp;
      // An earlier agent may have been ended while it asked.
      await this.#shutdown.giveUp();
      if (await isGuestAgentOpen(qmp)) this.#greetAgent();
      return qmp;
    } catch (error) {
      qmp.close();
      throw error;
    }
  }

  #disconnect(): void {
    this.#qmp?.close();
    this.#qmp = undefined;
    this.#agent.lose();
  }

  async #ended(): Promise<void> {
    clearTimeout(this.#silenceTimer);
    this.#disconnect();
    await this.#serial.finish();
    this.#detached.abort();
    const wanted = this.#stopping;
    const exit = wanted ? undefined : await this.#findExit();
    this.#exitWatch.close();
    const oomKill = wanted ? undefined : await findOomReason(this.identity, exit);
    const asked = { isAsked: this.#shutdown.isAsked, shutdownReason: this.#shutdownReason };
    await this.#options.onEnd({ wanted, ...asked, exit, oomKill });
  }

  /** How the process ended, once it has. */
  async #findExit(): Promise<ProcessExit | undefined> {
    let told: ProcessExit | undefined;
    void this.#options.exit?.then((exit) => {
      told = exit;
    });
    for (const deadline = performance.now() + burialMs; performance.now() < deadline; await delay(burialPollMs)) {
      told ??= await this.#exitWatch.find();
      if (told !== undefined) return told;
    }
    return undefined;
  }

  #onEvent(event: QmpEvent): void {
    const { onEvent } = this.#options;
    const { name, data } = event;
    for (const listener of this.#listeners) listener(event);
    if (name === "STOP") onEvent("paused", "");
    else if (name === "RESUME") {
      this.#life.goOn(Date.now());
      this.#armSilence();
      onEvent("resumed", "");
    } else if (name === "RESET") {
      this.#life.begin(Date.now());
      this.#armSilence();
      this.#shutdownReason = undefined;
      onEvent("reset", textOf(data, "reason"));
    } else if (name === "NIC_RX_FILTER_CHANGED") this.#sign(() => this.#life.note());
    else if (name === "BALLOON_CHANGE") onEvent("balloon", "");
    else if (name === "SHUTDOWN") this.#off(textOf(data, "reason"));
    else if (name === "GUEST_PANICKED") this.#shutdownReason = "guest-panic";
    else if (name === "WATCHDOG") this.#watchdogBit(textOf(data, "action"));
    else if (name === "VSERPORT_CHANGE" && data["id"] === guestAgentPort) {
      if (data["open"] === true) this.#greetAgent();
      else this.#agent.lose();
    }
  }

  #off(reason: string): void {
    this.#shutdownReason = strongerReason(this.#shutdownReason, reason);
    this.#isOff = true;
    void endIfHung(this.identity, this.#detached.signal).then((hung) => {
      if (hung)
        this.#options.log.warn({ resource: this.resource }, "QEMU did not end when its machine was off, and was ended");
    });
  }

  /** The guest has not served its watchdog: the machine is reset, or ends, or stands still, as it was made to. */
  #watchdogBit(action: string): void {
    if (action === "poweroff" || action === "shutdown") this.#shutdownReason = "watchdog";
    this.#options.onEvent("watchdog", `the guest did not serve its watchdog; what follows is: ${action}`);
  }

  /** The agent has opened its port: that is a sign of life as well. */
  #greetAgent(): void {
    this.#sign(() => this.#life.note());
    void this.#agent.greet();
  }

  /** @throws {ZorError} UNAVAILABLE when QEMU does not answer now, or no more. */
  #monitor(): QmpClient {
    if (this.#qmp !== undefined && !this.#isOff) return this.#qmp;
    const why = this.#isOff ? "its machine is off, and QEMU ends" : silentQemu;
    throw unavailable("MACHINE_SILENT", this.resource, `${this.resource}: ${why}`);
  }
}

async function isGuestAgentOpen(qmp: QmpClient): Promise<boolean> {
  const devices = await qmp.execute("query-chardev");
  return (
    Array.isArray(devices) &&
    devices.map(asObject).some((device) => device?.["label"] === guestAgentChardev && device["frontend-open"] === true)
  );
}
