import { mkdir, rm } from "node:fs/promises";
import type { Socket } from "node:net";
import { basename, join } from "node:path";
import { pause } from "../../../lib/backoff.js";
import { unavailable } from "../../../lib/errors.js";
import { LineSplitter } from "../../../lib/line-splitter.js";
import { endProcess, findProcesses } from "../../../lib/process.js";
import { nodePath, programPath } from "../../../lib/program.js";
import { startDaemon } from "../../host/exec.js";
import { tryConnect } from "../../../lib/net/unix-connect.js";
import {
  maxLineBytes,
  type RelayRequest,
  type RelayState,
  type RelayWanted,
  relayProtocol,
  relaySocket,
} from "./relay-protocol.js";

const startMs = 15_000;
const pollMs = 25;
/** A relay that has not answered in this time will not. */
const answerMs = 10_000;
const endMs = 1_000;
/** Little memory: it moves bytes, and keeps none of them. */
const nodeFlags = ["--max-semi-space-size=1", "--max-old-space-size=128", "--single-threaded-gc"];

/** The agent's side of the relay, a process that outlives the agent. It is started when it is first needed. One question at a time. */
export class RelayClient {
  readonly #directory: string;
  readonly #netns: string;
  readonly #onLost: () => void;
  readonly #closing = new AbortController();
  #socket: Socket | undefined;
  #answer: PromiseWithResolvers<RelayState> | undefined;
  #turn: Promise<unknown> = Promise.resolve();

  /** @param onLost a relay that was connected has gone. */
  constructor(options: { readonly directory: string; readonly netns: string; readonly onLost: () => void }) {
    this.#directory = options.directory;
    this.#netns = options.netns;
    this.#onLost = options.onLost;
  }

  /** Has the relay do exactly this; it is started unless it runs. @throws {ZorError} UNAVAILABLE */
  set(wanted: RelayWanted): Promise<RelayState> {
    return this.#inTurn(async () => {
      for (const deadline = performance.now() + startMs; ; ) {
        const socket = this.#socket ?? (await this.#connect(true));
        const state = socket === undefined ? undefined : await this.#ask(socket, { protocol: relayProtocol, wanted });
        if (state?.protocol === relayProtocol) return state;
        this.#closing.signal.throwIfAborted();
        if (performance.now() > deadline) throw this.#fault();
        await pause(pollMs, this.#closing.signal);
      }
    });
  }

  /** How it is now; undefined: it does not run, or does not answer. */
  state(): Promise<RelayState | undefined> {
    return this.#inTurn(async () => {
      const socket = this.#socket ?? (await this.#connect(false));
      return socket === undefined ? undefined : await this.#ask(socket, { protocol: relayProtocol });
    });
  }

  /** Lets go of it until it is needed again: without anything to do it ends. */
  release(): void {
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.destroy();
  }

  /** Lets go of it; it goes on. */
  close(): void {
    this.#closing.abort();
    this.#socket?.destroy();
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => undefined);
    return done;
  }

  #fault(): Error {
    return unavailable(
      "LAN_RELAY",
      "",
      `the process that passes on what lans tell does not start; see ${join(this.#directory, "relay.log")} on the host`,
    );
  }

  async #connect(starts: boolean): Promise<Socket | undefined> {
    const path = join(this.#directory, relaySocket);
    const found = await tryConnect(path);
    if (found === undefined && starts) await this.#start();
    const socket = found ?? (starts ? await tryConnect(path) : undefined);
    if (socket === undefined) return undefined;
    const lines = new LineSplitter(maxLineBytes);
    socket.on("data", (chunk: Buffer) => {
      try {
        for (const line of lines.push(chunk)) this.#answer?.resolve(JSON.parse(line.toString()) as RelayState);
      } catch {
        socket.destroy();
      }
    });
    socket.on("error", () => undefined);
    socket.once("close", () => {
      if (this.#socket !== socket) return;
      this.#socket = undefined;
      this.#answer?.reject(this.#fault());
      if (!this.#closing.signal.aborted) this.#onLost();
    });
    this.#socket = socket;
    return socket;
  }

  /** Undefined: it has gone. */
  async #ask(socket: Socket, request: RelayRequest): Promise<RelayState | undefined> {
    const answer = Promise.withResolvers<RelayState>();
    this.#answer = answer;
    // One that hangs is ended, and another one started.
    const timer = setTimeout(() => {
      socket.destroy();
      void this.#endAll();
    }, answerMs);
    try {
      if (socket.destroyed) return undefined;
      socket.write(`${JSON.stringify(request)}\n`);
      return await answer.promise;
    } catch {
      return undefined;
    } finally {
      clearTimeout(timer);
      this.#answer = undefined;
    }
  }

  async #start(): Promise<void> {
    // One that cannot be reached keeps ports to itself.
    await this.#endAll();
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    const logFile = join(this.#directory, "relay.log");
    await rm(logFile, { force: true });
    let ended = false;
    const argv = [programPath("lan-relay"), "--directory", this.#directory, "--netns", this.#netns];
    await startDaemon(nodePath, [...nodeFlags, ...argv], {
      logFile,
      cwd: "/",
      onExit: () => {
        ended = true;
      },
    });
    const { signal } = this.#closing;
    for (const deadline = performance.now() + startMs; performance.now() < deadline && !ended && !signal.aborted; ) {
      const socket = await tryConnect(join(this.#directory, relaySocket));
      socket?.destroy();
      if (socket !== undefined) return;
      await pause(pollMs, signal).catch(() => undefined);
    }
  }

  async #endAll(): Promise<void> {
    const found = await findProcesses((argv) => {
      const at = argv.indexOf("--directory");
      const isRelay = argv.some((each) => basename(each, ".js") === "lan-relay");
      return isRelay && at !== -1 && argv[at + 1] === this.#directory;
    });
    await Promise.all(found.map((each) => endProcess(each, endMs)));
  }
}
