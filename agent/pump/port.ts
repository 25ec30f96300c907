import type { Socket } from "node:net";
import { messageOf } from "../../lib/errors.js";
import { timeLimit } from "../../lib/time-limit.js";
import { connectUnix } from "../host/unix-socket.js";
import { type PortOpen, toFrame, toFrames } from "./protocol/frames.js";
import type { History } from "./protocol/history.js";
import { HistoryFile, newLog, readHistory } from "./protocol/history-file.js";

/** History that is kept of each port. */
const keptBytes = 64 * 1024;
/** What is kept at most for an agent that does not read. */
const maxBehindBytes = 4 * 1024 * 1024;
const connectMs = 5000;
/** Input that a machine has not taken, for example because it is paused, until agents have to wait. */
const maxUntakenBytes = 64 * 1024;

/** A serial port: one connection to its machine that is always read, its history, and the agents that look at it. */
export class Port {
  readonly #machine: Socket;
  readonly #history: History;
  readonly #readers = new Set<PortReader>();
  /** Resolves when the machine has gone and all it said is in the file. */
  readonly ended: Promise<void>;

  private constructor(machine: Socket, history: History, file: HistoryFile) {
    this.#machine = machine;
    this.#history = history;
    machine.on("data", (data: Buffer) => {
      const behind = [...this.#readers].map(({ at }) => at);
      history.append(data, Date.now(), Math.min(history.end + data.length, ...behind));
      file.changed();
      for (const reader of this.#readers) reader.wake();
    });
    machine.on("error", () => undefined);
    this.ended = new Promise((resolve) => {
      machine.once("close", () => {
        void file.flush().then(() => {
          for (const reader of this.#readers) reader.end("the machine has closed it");
          resolve();
        });
      });
    });
  }

  /** Connects to a machine. @throws the system's error. */
  static async open({ directory, socket, file: path, isNew }: PortOpen): Promise<Port> {
    const machine = await connectUnix(directory, socket, { signal: timeLimit(connectMs) });
    machine.pause();
    const history = await readHistory(path, { keptBytes, maxBytes: maxBehindBytes });
    const file = new HistoryFile(path, history, keptBytes);
    // Whoever kept it before may have ended before it wrote everything.
    if (isNew) {
      history.restart(newLog(), 0);
      await file.clear();
    } else history.rename(newLog());
    const port = new Port(machine, history, file);
    machine.resume();
    return port;
  }

  /** Lets an agent look, from what is kept on, and type. */
  attach(agent: Socket): void {
    const reader = new PortReader(agent, this.#history);
    this.#readers.add(reader);
    agent.once("close", () => this.#readers.delete(reader));
    reader.wake();
  }

  /** Passes input on, no faster than the machine takes it. */
  type(agent: Socket, data: Buffer): void {
    this.#machine.write(data);
    if (this.#machine.writableLength <= maxUntakenBytes || agent.isPaused()) return;
    agent.pause();
    this.#machine.once("drain", () => agent.resume());
  }

  /** Lets go of the machine. */
  close(): void {
    this.#machine.destroy();
  }
}

/** An agent that looks at a port. It is given what it has the time for; the rest it finds missing by its position. */
class PortReader {
  readonly #agent: Socket;
  readonly #history: History;
  #at: number;
  #isWaiting = false;

  constructor(agent: Socket, history: History) {
    this.#agent = agent;
    this.#history = history;
    this.#at = Math.max(history.begin, history.end - keptBytes);
    agent.write(toFrame({ type: "opened", log: history.log, at: this.#at }));
  }

  get at(): number {
    return this.#at;
  }

  wake(): void {
    if (this.#isWaiting) return;
    for (const piece of this.#history.from(this.#at)) {
      let isTaken = true;
      for (const frame of toFrames(piece)) isTaken = this.#agent.write(frame);
      this.#at = piece.at + piece.data.length;
      if (isTaken) continue;
      this.#isWaiting = true;
      this.#agent.once("drain", () => {
        this.#isWaiting = false;
        this.wake();
      });
      return;
    }
  }

  end(reason: string): void {
    // One that was made to wait would not see the other side go.
    this.#agent.resume();
    this.#agent.end(toFrame({ type: "closed", reason }));
  }
}

/** The ports of a pump, by their files. */
export class Ports {
  readonly #ports = new Map<string, Promise<Port>>();
  readonly #onFewer: () => void;

  /** @param onFewer told when a port is gone. */
  constructor(onFewer: () => void) {
    this.#onFewer = onFewer;
  }

  get size(): number {
    return this.#ports.size;
  }

  /** The port that is asked for, connected. @throws {Error} when it cannot be. */
  async find(open: PortOpen): Promise<Port> {
    const known = this.#ports.get(open.file);
    if (known !== undefined && !open.isNew) return await known;
    if (known !== undefined) {
      const old = await known.catch(() => undefined);
      old?.close();
      await old?.ended;
    }
    const opening = Port.open(open);
    this.#ports.set(open.file, opening);
    const gone = (): void => {
      if (this.#ports.get(open.file) === opening) this.#ports.delete(open.file);
      this.#onFewer();
    };
    try {
      const port = await opening;
      void port.ended.then(gone);
      return port;
    } catch (error) {
      gone();
      throw new Error(`the port cannot be connected to (${messageOf(error)})`);
    }
  }
}
