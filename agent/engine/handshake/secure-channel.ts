import { once } from "node:events";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { connect as connectTlsSocket, createSecureContext, TLSSocket } from "node:tls";
import { NativeMemory } from "../../../lib/libc.js";
import { type CableIdentity, keySha256Of } from "../protocol/cable-identity.js";
import type { Encryption } from "./encryption.js";
import { CableFailure } from "./failure.js";
import { frameType, headerBytes, ProtocolError, parseFrames, writeHeader } from "../frames/frame.js";
import { duplicate } from "../native.js";
import {
  cipherSuite,
  maxRecordBytes,
  RecordOpener,
  RecordSealer,
  recordHeaderBytes,
  recordLength,
  sealedBytes,
} from "../frames/tls-record.js";
import { TlsTransport } from "./tls-transport.js";
import type { EstablishedConnection } from "../threads/cable-orders.js";

/** First bytes of the listener after the TLS handshake: they mark where Node's tls ends and the cable's own records begin. */
const greeting = Buffer.from("zorhub cable\n", "ascii");

const versions = { minVersion: "TLSv1.3", maxVersion: "TLSv1.3", ciphers: cipherSuite } as const;

/** A connection after the TLS handshake and before frames: messages of the cable handshake, one frame in one record each. */
export class SecureChannel {
  /** SHA-256 of the public key the peer has proven to own. */
  readonly peerKeySha256: Buffer;
  /** Known to both ends of this very connection and to nobody else (RFC 8446, 7.5). */
  readonly bindingSecret: Buffer;
  readonly pairingSecret: Buffer;
  readonly #socket: Socket;
  readonly #sealer: RecordSealer;
  readonly #opener: RecordOpener;
  #incoming: Buffer;

  constructor(options: {
    readonly socket: Socket;
    readonly secrets: SessionSecrets;
    readonly sealer: RecordSealer;
    readonly opener: RecordOpener;
    readonly incoming: Buffer;
  }) {
    this.#socket = options.socket;
    this.peerKeySha256 = options.secrets.peerKeySha256;
    this.bindingSecret = options.secrets.bindingSecret;
    this.pairingSecret = options.secrets.pairingSecret;
    this.#sealer = options.sealer;
    this.#opener = options.opener;
    this.#incoming = options.incoming;
  }

  /** Sends one message. */
  send(message: unknown): void {
    const json = Buffer.from(JSON.stringify(message), "utf8");
    const plain = new NativeMemory(headerBytes + json.length + 1);
    writeHeader(plain.buffer, 0, frameType.handshake, json.length);
    json.copy(plain.buffer, headerBytes);
    const sealed = new NativeMemory(sealedBytes(plain.buffer.length));
    const length = this.#sealer.seal(plain, 0, headerBytes + json.length, sealed);
    this.#socket.write(sealed.buffer.subarray(0, length));
  }

  /** The next message of the peer, as parsed JSON. @throws {CableFailure} @throws {ProtocolError} */
  async receive(signal: AbortSignal): Promise<unknown> {
    const plain = await this.#receiveRecord(signal);
    let message: unknown;
    const consumed = parseFrames(plain, 0, plain.length, {
      frame: (type, offset, length) => {
        if (type !== frameType.handshake) throw new ProtocolError("the peer sent frames before the handshake was done");
        message = JSON.parse(plain.toString("utf8", offset, offset + length));
      },
    });
    if (consumed !== plain.length || message === undefined) {
      throw new ProtocolError("the peer sent a broken handshake message");
    }
    return message;
  }

  /** Expects the listener's greeting. */
  async receiveGreeting(signal: AbortSignal): Promise<void> {
    const plain = await this.#receiveRecord(signal);
    if (!plain.equals(greeting)) throw new CableFailure("protocol", "the peer is not a cable engine");
  }

  /**
   * Ends the channel and hands its socket over to a worker, for frames under the session's keys or in clear: then the last message
   * of the handshake was the last sealed record in each direction. The channel cannot be used any more.
   */
  release(encryption: Encryption): Omit<EstablishedConnection, "offload"> {
    this.#drainSocket();
    // Node keeps the descriptor in a field that is not part of its types; it has been there since Node 0.x.
    const handle = (this.#socket as unknown as { readonly _handle: { readonly fd: number } | null })._handle;
    if (handle === null || handle.fd < 0) throw new CableFailure("lost", "the connection broke during the handshake");
    const fd = duplicate(handle.fd);
    this.#socket.destroy();
    const keys = { send: this.#sealer.state, receive: this.#opener.state };
    this.#sealer.free();
    this.#opener.free();
    return { fd, leftover: this.#incoming, tls: encryption === "none" ? undefined : keys };
  }

  /** The plaintext of the next record that has any. */
  async #receiveRecord(signal: AbortSignal): Promise<Buffer> {
    for (;;) {
      const plain = this.#openNext();
      if (plain === undefined) await this.#more(signal);
      else if (plain.length > 0) return plain;
    }
  }

  #openNext(): Buffer | undefined {
    if (this.#incoming.length < recordHeaderBytes) return undefined;
    const total = recordHeaderBytes + recordLength(this.#incoming, 0);
    if (this.#incoming.length < total) return undefined;
    const source = new NativeMemory(maxRecordBytes);
    const target = new NativeMemory(maxRecordBytes);
    this.#incoming.copy(source.buffer, 0, 0, total);
    this.#incoming = this.#incoming.subarray(total);
    const opened = this.#opener.open({ memory: source, start: 0, end: total }, target, 0, maxRecordBytes);
    if (opened.closed) throw new CableFailure("lost", "the peer closed the connection during the handshake");
    return target.buffer.subarray(0, opened.plainEnd);
  }

  async #more(signal: AbortSignal): Promise<void> {
    if (this.#drainSocket()) return;
    if (this.#socket.destroyed || this.#socket.readableEnded) {
      throw new CableFailure("lost", "the peer closed the connection during the handshake");
    }
    const either = new AbortController();
    const ended = (): void => either.abort();
    this.#socket.once("close", ended).once("end", ended);
    try {
      await once(this.#socket, "readable", { signal: AbortSignal.any([signal, either.signal]) });
    } catch (error) {
      if (signal.aborted || !either.signal.aborted) throw error;
      throw new CableFailure("lost", "the peer closed the connection during the handshake");
    } finally {
      this.#socket.off("close", ended).off("end", ended);
    }
    this.#drainSocket();
  }

  #drainSocket(): boolean {
    let got = false;
    for (let chunk = this.#socket.read(); chunk !== null; chunk = this.#socket.read()) {
      // A net.Socket without encoding reads Buffers.
      this.#incoming = Buffer.concat([this.#incoming, chunk as Buffer]);
      got = true;
    }
    return got;
  }
}

/** What a TLS session tells. */
interface SessionSecrets {
  readonly peerKeySha256: Buffer;
  readonly bindingSecret: Buffer;
  readonly pairingSecret: Buffer;
}

/** The listener's side of TLS on an accepted socket. On error the socket is left to the caller, who destroys it. */
export async function acceptSecure(
  socket: Socket,
  identity: CableIdentity,
  signal: AbortSignal,
): Promise<SecureChannel> {
  const transport = new TlsTransport(socket);
  const tls = new TLSSocket(asStream(transport), {
    isServer: true,
    secureContext: createSecureContext({ key: identity.keyPem, cert: identity.certificatePem, ...versions }),
    requestCert: true,
    // Certificates are self-signed: the pin decides, see hello.ts.
    rejectUnauthorized: false,
  });
  const traffic = collectSecrets(tls);
  transport.on("error", (error) => tls.destroy(error));
  await settled(tls, "secure", signal);
  const secrets = readSession(tls);
  const sent = new RecordOpener({ secret: traffic("SERVER_TRAFFIC_SECRET_0"), sequence: 0 });
  const opener = new RecordOpener({ secret: traffic("CLIENT_TRAFFIC_SECRET_0"), sequence: 0 });
  transport.stopFeeding();
  tls.write(greeting);
  while (!transport.findSent(sent, greeting)) await once(transport, "sent", { signal });
  transport.release();
  tls.destroy();
  const sealer = new RecordSealer(sent.state);
  sent.free();
  return new SecureChannel({ socket, secrets, sealer, opener, incoming: transport.takeRest() });
}

/**
 * The dialer's side of TLS on a connected socket; nothing but the handshake is sent to a peer that is not the pinned one.
 * On error the socket is left to the caller, who destroys it.
 */
export async function connectSecure(options: {
  readonly socket: Socket;
  readonly identity: CableIdentity;
  readonly peerKeySha256: Uint8Array;
  readonly signal: AbortSignal;
}): Promise<SecureChannel> {
  const { socket, identity, signal } = options;
  const transport = new TlsTransport(socket);
  const tls = connectTlsSocket({
    socket: asStream(transport),
    secureContext: createSecureContext({ key: identity.keyPem, cert: identity.certificatePem, ...versions }),
    // Certificates are self-signed: the pin decides.
    rejectUnauthorized: false,
  });
  const traffic = collectSecrets(tls);
  transport.on("error", (error) => tls.destroy(error));
  // The handler runs at once: records after the handshake are not for Node's tls.
  tls.once("secureConnect", () => transport.stopFeeding());
  await settled(tls, "secureConnect", signal);
  const secrets = readSession(tls);
  if (!secrets.peerKeySha256.equals(options.peerKeySha256)) {
    transport.release();
    tls.destroy();
    throw new CableFailure("certificate", "the peer's certificate is not the pinned one: another host answers there");
  }
  const channel = new SecureChannel({
    socket,
    secrets,
    // Node's tls has sealed no application data: the first record is ours.
    sealer: new RecordSealer({ secret: traffic("CLIENT_TRAFFIC_SECRET_0"), sequence: 0 }),
    opener: new RecordOpener({ secret: traffic("SERVER_TRAFFIC_SECRET_0"), sequence: 0 }),
    incoming: await firstBytes(transport, signal),
  });
  // The listener speaks only after it has had our last handshake record, so Node's tls has written it all.
  transport.release();
  tls.destroy();
  await channel.receiveGreeting(signal);
  return channel;
}

/** A Duplex as the types of node:tls want it: they are not made for exactOptionalPropertyTypes. */
function asStream(transport: TlsTransport): Duplex {
  return transport as Duplex;
}

async function firstBytes(transport: TlsTransport, signal: AbortSignal): Promise<Buffer> {
  const there = transport.takeRest();
  if (there.length > 0) return there;
  await once(transport, "left", { signal });
  return transport.takeRest();
}

/** Collects the secrets that OpenSSL tells in the format of SSLKEYLOGFILE (RFC 9850). */
function collectSecrets(tls: TLSSocket): (label: string) => Buffer {
  const secrets = new Map<string, Buffer>();
  tls.on("keylog", (line: Buffer) => {
    const [label = "", , secret = ""] = line.toString("latin1").trim().split(" ");
    secrets.set(label, Buffer.from(secret, "hex"));
  });
  return (label) => {
    const secret = secrets.get(label);
    if (secret?.length !== 32) throw new CableFailure("protocol", `the TLS library did not tell ${label}`);
    return secret;
  };
}

async function settled(tls: TLSSocket, event: string, signal: AbortSignal): Promise<void> {
  // Later errors of a socket that was taken out of Node's hands mean nothing.
  tls.on("error", () => undefined);
  try {
    await once(tls, event, { signal });
  } catch (error) {
    tls.destroy();
    if (error instanceof CableFailure || signal.aborted) throw error;
    if (error instanceof Error && "code" in error && error.code === "ECONNRESET") {
      throw new CableFailure("lost", "the peer closed the connection during the handshake", error);
    }
    throw new CableFailure("certificate", `the TLS handshake failed: ${shortReason(error)}`, error);
  }
}

/** OpenSSL's own words without its numbers and file names. */
function shortReason(error: unknown): string {
  if (error instanceof Error && "reason" in error && typeof error.reason === "string") return error.reason;
  return error instanceof Error ? error.message : "unknown";
}

function readSession(tls: TLSSocket): SessionSecrets {
  const certificate = tls.getPeerX509Certificate();
  if (certificate === undefined) throw new CableFailure("certificate", "the peer showed no certificate");
  if (tls.getCipher().standardName !== cipherSuite) throw new CableFailure("version", "the peer chose another cipher");
  return {
    peerKeySha256: keySha256Of(certificate),
    bindingSecret: tls.exportKeyingMaterial(32, "EXPORTER-zorhub-cable-binding", Buffer.alloc(0)),
    pairingSecret: tls.exportKeyingMaterial(32, "EXPORTER-zorhub-cable-pairing", Buffer.alloc(0)),
  };
}
