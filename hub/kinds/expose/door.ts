import { createServer, type Server, type Socket } from "node:net";
import { parseHostPort } from "../../../lib/socket-address.js";
import { whyNotListen } from "./places.js";

/** What a door is made of. */
export interface DoorOptions {
  /** "ip:port" */
  readonly place: string;
  /** Whether the settings of the hub still allow it. */
  readonly mayOpen: (host: string, port: number) => boolean;
  /** As they are now: how many connections there may be at a time, and how long each may be silent. */
  readonly limits: () => { readonly most: number; readonly idleMs: number };
  /** Carries a connection until it has ended, or the signal aborts. @throws what stood in the way, or was lost on it */
  readonly carry: (socket: Socket, visit: Visit) => Promise<void>;
  readonly room: Room;
  /** Told when anything that is told of the door has changed. */
  readonly onChange: () => void;
}

/** A connection on its way. */
export interface Visit {
  readonly signal: AbortSignal;
  /** Told when the server is reached. */
  readonly onReached: () => void;
}

/** Connections of all doors of a hub. */
export class Room {
  readonly #most: number;
  #used = 0;

  constructor(most: number) {
    this.#most = most;
  }

  /** Whether there was room for one more, which is taken. */
  take(): boolean {
    if (this.#used >= this.#most) return false;
    this.#used += 1;
    return true;
  }

  leave(): void {
    this.#used -= 1;
  }
}

/** What came through a door since it was made. */
export interface DoorFigures {
  readonly connections: number;
  readonly total: number;
  readonly refused: number;
  readonly failed: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

/** A place that cannot be listened at is tried again after this time. */
const retryMs = 2000;
/** A server that is connected to may still refuse: in a machine only the program that connects is known to run. */
const settleMs = 1000;
/** Of a client that is silent it is asked after this time whether it is still there. */
const keepAliveMs = 60_000;

/** A port of this machine, and the connections that came in by it. */
export class Door {
  readonly place: string;
  readonly #options: DoorOptions;
  readonly #visits = new Map<Socket, AbortController>();
  #server: Server | undefined;
  #retry: NodeJS.Timeout | undefined;
  #closed = false;
  /** Why it is not listened at. */
  #fault = "the hub is starting";
  #obstacle: unknown;
  readonly #count = { total: 0, refused: 0, failed: 0, bytesIn: 0, bytesOut: 0 };

  constructor(options: DoorOptions) {
    this.#options = options;
    this.place = options.place;
  }

  /** Begins to listen, and resolves when that was tried once; what fails is tried again until it works. */
  async open(): Promise<void> {
    const { host, port } = parseHostPort(this.place) ?? { host: "", port: 0 };
    if (!this.#options.mayOpen(host, port)) {
      this.#fault = "its setting exposeListen does not allow that any more";
      this.#options.onChange();
      return;
    }
    // Either side may end alone.
    const server = createServer({ allowHalfOpen: true }, (socket) => this.#enter(socket));
    const { promise, resolve } = Promise.withResolvers<void>();
    server.on("listening", () => {
      this.#fault = "";
      // Closed while its address was looked up.
      if (this.#closed) server.close();
      resolve();
    });
    server.on("error", (error) => {
      this.#fault = whyNotListen(error);
      server.close();
      clearTimeout(this.#retry);
      if (!this.#closed) this.#retry = setTimeout(() => void this.open(), retryMs).unref();
      resolve();
    });
    this.#server = server;
    server.listen({ host, port, exclusive: true });
    await promise;
    this.#options.onChange();
  }

  /** Ends listening and all connections. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#retry);
    this.#server?.close();
    for (const [socket, ending] of this.#visits) {
      ending.abort();
      socket.resetAndDestroy();
    }
  }

  /** Why it is not listened at; "": it is. */
  get fault(): string {
    return this.#fault;
  }

  /** What the last connection met that did not get through; undefined: it did. */
  get obstacle(): unknown {
    return this.#obstacle;
  }

  /** What stood in the way is seen to be gone. */
  forgive(): void {
    if (this.#obstacle === undefined) return;
    this.#obstacle = undefined;
    this.#options.onChange();
  }

  get figures(): DoorFigures {
    const { total, refused, failed } = this.#count;
    let { bytesIn, bytesOut } = this.#count;
    for (const socket of this.#visits.keys()) {
      bytesIn += socket.bytesRead;
      bytesOut += socket.bytesWritten;
    }
    return { connections: this.#visits.size, total, refused, failed, bytesIn, bytesOut };
  }

  #enter(socket: Socket): void {
    const { limits, room, onChange } = this.#options;
    const { most, idleMs } = limits();
    socket.on("error", () => undefined);
    if (this.#closed || this.#visits.size >= most || !room.take()) {
      this.#count.refused += 1;
      socket.resetAndDestroy();
      onChange();
      return;
    }
    this.#count.total += 1;
    socket.setNoDelay(true);
    socket.setKeepAlive(true, keepAliveMs);
    socket.setTimeout(idleMs, () => socket.destroy(new Error("nothing has passed for too long")));
    void this.#serve(socket);
    onChange();
  }

  async #serve(socket: Socket): Promise<void> {
    const { room, carry, onChange } = this.#options;
    const ending = new AbortController();
    this.#visits.set(socket, ending);
    let settling: NodeJS.Timeout | undefined;
    const onReached = (): void => {
      settling = setTimeout(() => this.forgive(), settleMs).unref();
    };
    try {
      await carry(socket, { signal: ending.signal, onReached });
      if (settling !== undefined) this.forgive();
    } catch (error) {
      if (!ending.signal.aborted) {
        this.#obstacle = error;
        this.#count.failed += 1;
      }
      // A client must not take what came before for the whole.
      socket.resetAndDestroy();
    } finally {
      clearTimeout(settling);
      socket.destroy();
      this.#visits.delete(socket);
      this.#count.bytesIn += socket.bytesRead;
      this.#count.bytesOut += socket.bytesWritten;
      room.leave();
      onChange();
    }
  }
}
