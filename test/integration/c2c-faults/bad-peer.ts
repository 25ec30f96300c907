import { randomBytes, randomUUID } from "node:crypto";
import { Socket } from "node:net";
import type { CableIdentity } from "../../../agent/engine/protocol/cable-identity.js";
import { dial } from "../../../agent/engine/handshake/dial.js";
import { headerBytes, writeHeader } from "../../../agent/engine/frames/frame.js";
import { RecordSealer, sealedBytes } from "../../../agent/engine/frames/tls-record.js";
import { NativeMemory } from "../../../lib/libc.js";
import { eventually } from "../../helpers/eventually.js";
import type { LoopbackHost } from "../c2c/loopback-host.js";
import { endOf } from "./loopback-pair.js";
import { endSpec } from "../../helpers/engine-words.js";

/** A peer that has every right to its cable, and does with it what it likes. */
export class BadPeer {
  readonly #socket: Socket;
  readonly #sealer: RecordSealer;
  /** Resolves when the host has closed the connection. */
  readonly closed: Promise<void>;

  private constructor(socket: Socket, sealer: RecordSealer) {
    this.#socket = socket;
    this.#sealer = sealer;
    socket.on("error", () => undefined);
    this.closed = new Promise((resolve) => socket.once("close", () => resolve()));
  }

  /** Makes a link of its own at the host and connects. It reads nothing until {@link read}. */
  static async connect(host: LoopbackHost, identity: CableIdentity, link: string): Promise<BadPeer> {
    const [linkUid, ticket] = [randomUUID(), randomBytes(32)];
    await host.cables.ensureEnd(
      endSpec({
        ...{ link, linkUid, lan: "lan1", role: "listener", peerAddresses: [] },
        ...{ peerKeySha256: identity.keySha256.toString("hex"), ticket: ticket.toString("hex"), ticketTtlSeconds: 60 },
      }),
    );
    await eventually(() => {
      if (!endOf(host, link).tap.ready) throw new Error("the tap is not there yet");
    });
    const { established } = await dial({
      address: host.address,
      identity,
      peerKeySha256: host.cables.identity().keySha256,
      linkUid,
      credential: { by: "ticket", secret: ticket },
      offload: "tso",
      encryption: "tls",
      engine: "",
      storePairing: async () => undefined,
      signal: new AbortController().signal,
    });
    if (established.tls === undefined) throw new Error("the connection is not encrypted");
    return new BadPeer(new Socket({ fd: established.fd }), new RecordSealer(established.tls.send));
  }

  /** Reads, and forgets, what the host sends. */
  read(): void {
    this.#socket.resume();
  }

  /** Sends bytes, sealed as they should be. */
  send(bytes: Buffer): void {
    const plain = new NativeMemory(bytes.length + 1);
    plain.buffer.set(bytes);
    const sealed = new NativeMemory(sealedBytes(bytes.length));
    const length = this.#sealer.seal(plain, 0, bytes.length, sealed);
    this.#socket.write(Buffer.from(sealed.buffer.subarray(0, length)));
  }

  /** Ends the stream in good order. */
  end(): void {
    this.#socket.end();
  }

  /** Ends the connection, if it is still there. */
  destroy(): void {
    this.#socket.destroy();
    this.#sealer.free();
  }
}

/** Header of a frame. */
export function header(type: number, length: number): Buffer {
  const bytes = Buffer.alloc(headerBytes);
  writeHeader(bytes, 0, type, length);
  return bytes;
}
