import type { Socket } from "node:net";
import { join } from "node:path";
import { invalidArgument } from "../../../lib/errors.js";
import type { ConsoleStream } from "../driver.js";
import { ConsoleLog } from "./console-log.js";
import { ConsoleMux } from "./console-mux.js";
import { maxSerialPorts, serialSocket } from "./ids.js";

/** Where recent output of a serial port is kept, in the directory of its instance. */
function consoleLogPath(directory: string, port: number): string {
  return join(directory, port === 0 ? "console.log" : `console${port}.log`);
}

/** All files that output of serial ports may be kept in. */
export function consoleLogPaths(directory: string): readonly string[] {
  return Array.from({ length: maxSerialPorts }, (_, port) => consoleLogPath(directory, port));
}

/** What {@link SerialPorts} need. */
export interface SerialPortsOptions {
  /** Resource name for errors. */
  readonly resource: string;
  /** Directory of the instance. */
  readonly directory: string;
  /** How many there are. */
  readonly count: number;
  /** A new run: what the last one said is forgotten. */
  readonly isNew: boolean;
}

/** The serial ports of a running machine, each with its history; the first one is its console. All are always read, so that no guest waits. */
export class SerialPorts {
  readonly #resource: string;
  readonly #logs: readonly ConsoleLog[];
  readonly #ports: readonly ConsoleMux[];
  /** Told of what comes from the first one. */
  onOutput: (output: Uint8Array) => void = () => undefined;

  private constructor(resource: string, logs: readonly ConsoleLog[]) {
    this.#resource = resource;
    this.#logs = logs;
    const told = (port: number) => (output: Uint8Array) => (port === 0 ? this.onOutput(output) : undefined);
    this.#ports = logs.map((log, port) => new ConsoleMux(resource, log, told(port)));
  }

  static async open({ resource, directory, count, isNew }: SerialPortsOptions): Promise<SerialPorts> {
    const logs: ConsoleLog[] = [];
    for (let port = 0; port < count; port += 1) {
      const log = await ConsoleLog.open(consoleLogPath(directory, port));
      if (isNew) await log.clear();
      logs.push(log);
    }
    return new SerialPorts(resource, logs);
  }

  /** QEMU's socket of the first one is connected. */
  get isConnected(): boolean {
    return this.#ports[0]?.isConnected ?? false;
  }

  /** What the first one has said last. */
  recent(bytes: number): Buffer {
    return this.#logs[0]?.recent(bytes) ?? Buffer.alloc(0);
  }

  /** Connects all. @throws what connecting throws. */
  async connect(connect: (socket: string) => Promise<Socket>): Promise<void> {
    for (const [port, mux] of this.#ports.entries()) mux.attach(await connect(serialSocket(port)));
  }

  /** A new reader and writer. @throws {ZorError} INVALID_ARGUMENT when there is no such port. */
  openPort(port: number, replayBytes: number): ConsoleStream {
    const mux = this.#ports[port];
    if (mux !== undefined) return mux.open(replayBytes);
    const has = this.#ports.length === 1 ? "one serial port, 0" : `the serial ports 0 to ${this.#ports.length - 1}`;
    throw invalidArgument("open.port", `${this.#resource} has ${has}; not ${port}`);
  }

  /** Ends all connections and readers. */
  close(): void {
    for (const port of this.#ports) port.close();
  }

  /** Resolves when all output so far is in the files. */
  async flush(): Promise<void> {
    for (const log of this.#logs) await log.flush();
  }
}
