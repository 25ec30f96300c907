import { once } from "node:events";
import { join } from "node:path";
import { Backoff, pause } from "../../../lib/backoff.js";
import { invalidArgument, type ZorError } from "../../../lib/errors.js";
import type { Heard, PumpClient } from "../../pump/protocol/pump-client.js";
import type { ConsoleRequest, ConsoleStream } from "../driver.js";
import { ConsoleMux, type FollowedPort } from "./console-mux.js";
import { maxSerialPorts, serialSocket } from "./ids.js";

/** Where recent output of a serial port is kept, in the directory of its instance. */
export function consoleLogPath(directory: string, port: number): string {
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
  /** QEMU's working directory, with its sockets. */
  readonly runDirectory: string;
  /** How many there are. */
  readonly count: number;
  /** A new run: what the last one said is forgotten. */
  readonly isNew: boolean;
  /** Reads them, whatever becomes of the agent. */
  readonly pump: PumpClient;
}

/** What the pump had yet to tell comes within this time after the machine's end. */
const restMs = 2000;

/** The serial ports of a running machine, each with its history; the first one is its console. The pump reads all of them, so that no guest waits. */
export class SerialPorts {
  readonly #options: SerialPortsOptions;
  readonly #ports: readonly ConsoleMux[];
  readonly #ending = new AbortController();
  #keeping: Promise<void>[] | undefined;
  /** Told of what comes from the first one. */
  onOutput: (output: Uint8Array) => void = () => undefined;

  constructor(options: SerialPortsOptions) {
    this.#options = options;
    const told = (port: number) => (output: Uint8Array) => (port === 0 ? this.onOutput(output) : undefined);
    this.#ports = Array.from({ length: options.count }, (_, port) => new ConsoleMux(options.resource, told(port)));
  }

  /** All are connected. */
  get isConnected(): boolean {
    return this.#ports.every(({ isConnected }) => isConnected);
  }

  /** Keeps all connected from now on, until they are closed. */
  connect(): void {
    this.#keeping ??= this.#ports.map((mux, port) => this.#keep(mux, port));
  }

  /** A new reader and writer. @throws {ZorError} INVALID_ARGUMENT when there is no such port. */
  openPort(port: number, request: Pick<ConsoleRequest, "replayBytes" | "resume">): ConsoleStream {
    return this.#port("open.port", port).open(request);
  }

  /** What a port has said, and says. @throws {ZorError} INVALID_ARGUMENT when there is no such port. */
  follow(port: number): FollowedPort {
    return this.#port("port", port).follow();
  }

  /** Ends all connections and readers. */
  async close(): Promise<void> {
    this.#ending.abort();
    for (const port of this.#ports) port.close();
    await Promise.all(this.#keeping ?? []);
  }

  /** The machine has ended: waits, not for long, until the rest of what it said has come. */
  async finish(): Promise<void> {
    const deadline = performance.now() + restMs;
    const { signal } = this.#ending;
    while (!signal.aborted && performance.now() < deadline && this.#ports.some(({ isConnected }) => isConnected)) {
      await pause(10, signal);
    }
    await this.close();
  }

  #port(field: string, port: number): ConsoleMux {
    const mux = this.#ports[port];
    if (mux !== undefined) return mux;
    throw noSuchPort(this.#options.resource, this.#ports.length, { field, port });
  }

  async #keep(mux: ConsoleMux, port: number): Promise<void> {
    const { directory, runDirectory, pump } = this.#options;
    const { signal } = this.#ending;
    const backoff = new Backoff({ minMs: 10, maxMs: 1000 });
    let { isNew } = this.#options;
    while (!signal.aborted) {
      const where = {
        directory: runDirectory,
        socket: serialSocket(port),
        file: consoleLogPath(directory, port),
        isNew,
      };
      const hear = (heard: Heard): void => mux.hear(heard);
      // It may not listen yet, or not any more; the machine tells when it has ended.
      const socket = await pump.open(where, { hear, signal }).catch(() => undefined);
      if (socket !== undefined) {
        isNew = false;
        backoff.reset();
        mux.attach(socket);
        if (signal.aborted) mux.close();
        if (!socket.closed) await once(socket, "close").catch(() => undefined);
      }
      await backoff.wait(signal);
    }
  }
}

/** The error of who asks for a port that a machine has not; pure. */
export function noSuchPort(
  resource: string,
  count: number,
  { field, port }: { readonly field: string; readonly port: number },
): ZorError {
  const has = count === 1 ? "one serial port, 0" : `the serial ports 0 to ${count - 1}`;
  return invalidArgument(field, `${resource} has ${has}; not ${port}`);
}
