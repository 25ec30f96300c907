import type { Socket } from "node:net";
import { Duplex } from "node:stream";
import { NativeMemory } from "../../../lib/libc.js";
import { CableFailure } from "./failure.js";
import { contentType, maxRecordBytes, type RecordOpener, recordHeaderBytes } from "../frames/tls-record.js";

/** Most bytes a handshake may take in each direction. */
const maxHandshakeBytes = 64 * 1024;

/**
 * What Node's tls gets instead of the socket: it is fed one record at a time, and stops being fed, or heard, at a record border.
 * So a connection can be taken out of its hands with nothing lost in between.
 */
export class TlsTransport extends Duplex {
  readonly #socket: Socket;
  /** Bytes that came and were not handed on. */
  #incoming: Buffer = Buffer.alloc(0);
  /** Records that Node's tls has written and that were not looked at by {@link findSent}. */
  #written: Buffer = Buffer.alloc(0);
  #totalIn = 0;
  #feeding = true;
  #forwarding = true;

  constructor(socket: Socket) {
    super();
    this.#socket = socket;
    socket.on("readable", this.#onReadable);
    // What was read before this object is not told of again.
    if (socket.readableLength > 0) queueMicrotask(this.#onReadable);
    socket.on("error", this.#onError);
    socket.on("close", this.#onClose);
  }

  /** Node's tls gets no more records; later ones stay for {@link takeRest}. */
  stopFeeding(): void {
    this.#feeding = false;
  }

  /** What Node's tls writes from now on goes nowhere. */
  stopForwarding(): void {
    this.#forwarding = false;
  }

  /** Hands over the bytes that came and were not fed. Call after {@link stopFeeding}. */
  takeRest(): Buffer {
    const taken = this.#incoming;
    this.#incoming = Buffer.alloc(0);
    return taken;
  }

  /** Leaves the socket to others. */
  release(): void {
    this.stopFeeding();
    this.stopForwarding();
    this.#socket.off("readable", this.#onReadable);
    this.#socket.off("error", this.#onError);
    this.#socket.off("close", this.#onClose);
  }

  /**
   * Looks through what Node's tls has written for the record with this plaintext, counting in `opener` those sealed with its key.
   * True when it was found: the opener's state is then that of the next record to be sent.
   */
  findSent(opener: RecordOpener, plaintext: Uint8Array): boolean {
    const source = new NativeMemory(maxRecordBytes);
    const target = new NativeMemory(maxRecordBytes);
    while (this.#written.length >= recordHeaderBytes) {
      const total = recordHeaderBytes + this.#written.readUInt16BE(3);
      if (this.#written.length < total) return false;
      this.#written.copy(source.buffer, 0, 0, total);
      const type = this.#written[0];
      this.#written = this.#written.subarray(total);
      if (type !== contentType.applicationData || !opener.matches(source, 0, target)) continue;
      if (target.buffer.subarray(0, plaintext.length).equals(plaintext)) return true;
    }
    return false;
  }

  override _read(): void {
    // Records are pushed as they come.
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    if (!this.#forwarding) {
      done();
      return;
    }
    this.#written = Buffer.concat([this.#written, chunk]);
    if (this.#written.length > maxHandshakeBytes) {
      done(new CableFailure("protocol", "the handshake is longer than allowed"));
      return;
    }
    this.#socket.write(chunk, (error) => done(error));
    this.emit("sent");
  }

  readonly #onReadable = (): void => {
    for (let chunk = this.#socket.read(); chunk !== null; chunk = this.#socket.read()) {
      // A net.Socket without encoding reads Buffers.
      this.#take(chunk as Buffer);
    }
  };

  #take(chunk: Buffer): void {
    this.#totalIn += chunk.length;
    if (this.#totalIn > maxHandshakeBytes) {
      this.destroy(new CableFailure("protocol", "the peer's handshake is longer than allowed"));
      return;
    }
    this.#incoming = Buffer.concat([this.#incoming, chunk]);
    if (!looksLikeTls(this.#incoming)) {
      this.destroy(new CableFailure("protocol", "the peer does not speak TLS"));
      return;
    }
    while (this.#feeding && this.#incoming.length >= recordHeaderBytes) {
      const total = recordHeaderBytes + this.#incoming.readUInt16BE(3);
      if (total > maxRecordBytes) {
        this.destroy(new CableFailure("protocol", "the peer sent a TLS record that is too long"));
        return;
      }
      if (this.#incoming.length < total) break;
      const record = this.#incoming.subarray(0, total);
      this.#incoming = this.#incoming.subarray(total);
      this.push(record);
    }
    if (!this.#feeding) this.emit("left");
  }

  readonly #onError = (error: Error): void => {
    this.destroy(error);
  };

  readonly #onClose = (): void => {
    this.destroy(new CableFailure("lost", "the peer closed the connection during the handshake"));
  };
}

/** A record begins with a content type, 20 to 23, and major version 3. */
function looksLikeTls(bytes: Uint8Array): boolean {
  const [type = 22, major = 3] = bytes;
  return type >= 20 && type <= 23 && major === 3;
}
