import { connect, type TLSSocket } from "node:tls";
import type { Identity } from "../../lib/tls/identity.js";
import { hubServerName } from "../../lib/tls/join.js";
import { callHeaders, frame, framed, literalHeaders } from "./flood.js";

/** A frame that came. */
export interface RawFrame {
  readonly kind: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

/** Kinds of frames (RFC 9113, section 6). */
export const frameKind = { data: 0, headers: 1, reset: 3, settings: 4, ping: 6, goaway: 7, window: 8 } as const;
const endStream = 1;
const endHeaders = 4;

/** An HTTP/2 client that does exactly what it is told, besides answering PINGs and SETTINGS. */
export class RawHttp2 {
  readonly frames: RawFrame[] = [];
  readonly #socket: TLSSocket;
  #rest: Buffer = Buffer.alloc(0);
  #nextStream = 1;
  #closed = false;

  private constructor(socket: TLSSocket) {
    this.#socket = socket;
    socket.on("data", (chunk: Buffer) => this.#read(chunk));
    socket.on("error", () => undefined);
    socket.on("close", () => {
      this.#closed = true;
    });
  }

  /** @param window bytes that each stream may be sent before more is allowed. */
  static async connect(address: string, identity: Identity, window = 65_535): Promise<RawHttp2> {
    const at = address.lastIndexOf(":");
    const socket = connect({
      host: address.slice(0, at),
      port: Number(address.slice(at + 1)),
      servername: hubServerName,
      ALPNProtocols: ["h2"],
      minVersion: "TLSv1.3",
      ca: identity.caPem,
      key: identity.keyPem,
      cert: identity.certificatePem,
    });
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    socket.once("secureConnect", resolve);
    socket.once("error", reject);
    await promise;
    const client = new RawHttp2(socket);
    const settings = Buffer.alloc(6);
    settings.writeUInt16BE(4, 0);
    settings.writeUInt32BE(window, 2);
    client.send(Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), frame(frameKind.settings, 0, 0, settings));
    return client;
  }

  /** The connection has ended. */
  get closed(): boolean {
    return this.#closed;
  }

  send(...parts: readonly Buffer[]): void {
    this.#socket.write(Buffer.concat(parts));
  }

  /** Begins a call and sends its whole request. Returns its stream. */
  call(path: string, message: Uint8Array): number {
    const stream = this.begin(path);
    this.send(frame(frameKind.data, endStream, stream, framed(Buffer.from(message))));
    return stream;
  }

  /** Begins a call of which the request is still to come. */
  begin(path: string): number {
    const stream = this.#nextStream;
    this.#nextStream += 2;
    this.send(frame(frameKind.headers, endHeaders, stream, literalHeaders(callHeaders(path))));
    return stream;
  }

  /** Sends a piece of a request. */
  data(stream: number, bytes: Buffer): void {
    this.send(frame(frameKind.data, 0, stream, bytes));
  }

  /** Allows so many more bytes on a stream and on the connection. */
  allow(stream: number, bytes: number): void {
    const more = Buffer.alloc(4);
    more.writeUInt32BE(bytes);
    this.send(frame(frameKind.window, 0, 0, more), frame(frameKind.window, 0, stream, more));
  }

  /** How a call ended: the server's last headers, or that it was reset; undefined: it goes on. */
  endOf(stream: number): "trailers" | "reset" | undefined {
    for (const each of this.frames) {
      if (each.stream !== stream) continue;
      if (each.kind === frameKind.headers && (each.flags & endStream) !== 0) return "trailers";
      if (each.kind === frameKind.reset) return "reset";
    }
    return undefined;
  }

  close(): void {
    this.#socket.destroy();
  }

  #read(chunk: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    while (this.#rest.length >= 9) {
      const length = this.#rest.readUIntBE(0, 3);
      if (this.#rest.length < 9 + length) return;
      const [kind, flags] = [this.#rest.readUInt8(3), this.#rest.readUInt8(4)];
      const stream = this.#rest.readUInt32BE(5);
      const payload = this.#rest.subarray(9, 9 + length);
      this.#rest = this.#rest.subarray(9 + length);
      this.frames.push({ kind, flags, stream, payload });
      const isAck = (flags & 1) !== 0;
      if (kind === frameKind.ping && !isAck) this.send(frame(frameKind.ping, 1, 0, payload));
      if (kind === frameKind.settings && !isAck) this.send(frame(frameKind.settings, 1, 0));
    }
  }
}
