import { mkdir, rm } from "node:fs/promises";
import type { Socket } from "node:net";
import { join } from "node:path";
import { pause } from "../../../lib/backoff.js";
import { unavailable } from "../../../lib/errors.js";
import { nodePath, programPath } from "../../../lib/program.js";
import { startDaemon } from "../../host/exec.js";
import { tryConnect } from "../../../lib/net/unix-connect.js";
import { PumpWatch } from "./pump-watch.js";
import { FrameReader, type FromPump, type PortOpen, pumpProtocol, pumpSocket } from "./frames.js";

const startMs = 15_000;
const pollMs = 25;
/** A pump that has not answered in this time will not. */
const answerMs = 10_000;
/** Little memory: it moves bytes, and keeps little of them. */
const nodeFlags = ["--max-semi-space-size=1", "--max-old-space-size=256", "--single-threaded-gc"];

/** What the pump tells of a port that it is connected to. */
export type Heard = Exclude<FromPump, { readonly type: "closed" }>;

/** Who hears it. */
interface Hearing {
  readonly hear: (heard: Heard) => void;
  readonly signal: AbortSignal;
}

/** The agent's side of the pump, a process that reads serial ports and outlives the agent. It is started when it is needed. */
export class PumpClient {
  readonly #directory: string;
  readonly #watch: PumpWatch;
  #starting: Promise<void> | undefined;

  /** @param directory the pump's own. */
  constructor(directory: string) {
    this.#directory = directory;
    this.#watch = new PumpWatch(directory);
  }

  /**
   * Connects to a port through the pump. What it says is heard until the socket closes, some of it before this resolves; what is
   * written to the socket is typed.
   * @throws {ZorError} UNAVAILABLE when the pump or the port cannot be reached.
   */
  async open(port: Omit<PortOpen, "protocol">, hearing: Hearing): Promise<Socket> {
    using needed = new DisposableStack();
    needed.use(this.#watch.need());
    const { signal } = hearing;
    for (const deadline = performance.now() + startMs; ; ) {
      signal.throwIfAborted();
      const socket = await this.#connect();
      const found = socket === undefined ? undefined : await opened(socket, port, hearing);
      if (found !== undefined) {
        const kept = needed.move();
        if (found.closed) kept.dispose();
        else found.once("close", () => kept.dispose());
        return found;
      }
      if (performance.now() > deadline) {
        throw unavailable(
          "CONSOLE_PUMP",
          "",
          "the process that reads consoles does not start; see pump.log on the host",
        );
      }
      await pause(pollMs, signal);
    }
  }

  async #connect(): Promise<Socket | undefined> {
    const found = await tryConnect(join(this.#directory, pumpSocket));
    if (found !== undefined) return found;
    this.#starting ??= this.#start().finally(() => {
      this.#starting = undefined;
    });
    await this.#starting;
    return await tryConnect(join(this.#directory, pumpSocket));
  }

  async #start(): Promise<void> {
    const path = join(this.#directory, pumpSocket);
    // One that cannot be reached keeps machines to itself, which serve one client each.
    await this.#watch.endAll();
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    const logFile = join(this.#directory, "pump.log");
    await rm(logFile, { force: true });
    let ended = false;
    await startDaemon(nodePath, [...nodeFlags, programPath("console-pump"), "--directory", this.#directory], {
      logFile,
      onExit: () => {
        ended = true;
      },
    });
    for (const deadline = performance.now() + startMs; performance.now() < deadline && !ended; ) {
      const socket = await tryConnect(path);
      socket?.destroy();
      if (socket !== undefined) return;
      await pause(pollMs, new AbortController().signal);
    }
  }
}

/** Undefined: the pump has ended before it answered. @throws {ZorError} UNAVAILABLE */
async function opened(
  socket: Socket,
  port: Omit<PortOpen, "protocol">,
  { hear, signal }: Hearing,
): Promise<Socket | undefined> {
  const frames = new FrameReader();
  const answer = Promise.withResolvers<Socket | undefined>();
  const onEnd = (): void => {
    socket.destroy();
    answer.resolve(undefined);
  };
  const onFrame = (frame: FromPump): void => {
    if (frame.type === "closed") {
      answer.reject(unavailable("CONSOLE_UNREACHABLE", "", frame.reason));
      socket.destroy();
      return;
    }
    hear(frame);
    if (frame.type === "opened") answer.resolve(socket);
  };
  socket.on("data", (chunk: Buffer) => {
    try {
      for (const frame of frames.push(chunk)) onFrame(frame);
    } catch {
      socket.destroy();
    }
  });
  socket.on("error", () => undefined);
  socket.once("close", onEnd);
  signal.addEventListener("abort", onEnd, { once: true });
  const timer = setTimeout(onEnd, answerMs);
  socket.write(`${JSON.stringify({ ...port, protocol: pumpProtocol })}\n`);
  try {
    return await answer.promise;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", onEnd);
  }
}
