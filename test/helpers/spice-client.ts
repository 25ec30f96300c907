import { constants, createPublicKey, publicEncrypt } from "node:crypto";
import { ByteReader } from "../../tui/client/screen/byte-reader.js";

/** Channels, as the protocol numbers them (spice-protocol, spice/enums.h). */
export const spiceChannels = { main: 1, display: 2, inputs: 3, cursor: 4, usbRedirection: 9 } as const;
/** Messages of servers that tests wait for. */
export const spiceMessages = {
  mainInit: 103,
  channelsList: 104,
  surfaceCreate: 314,
  inputsInit: 101,
  data: 101,
} as const;
/** Messages of clients that tests send. */
export const spiceRequests = { attachChannels: 104, displayInit: 101, keyDown: 101, keyUp: 102, data: 101 } as const;

const magic = Buffer.from("REDQ");
const headerBytes = 18;
const keyBytes = 162;
const maxMessageBytes = 16 * 1024 * 1024;
/** Messages that every channel has: of the server, and what is sent for them. */
const common = { setAck: 3, ping: 4, ackSync: 1, ack: 2, pong: 3 } as const;

/** Two ends of a connection to a server. */
export interface SpiceEnds {
  readonly input: AsyncIterable<Uint8Array>;
  send(data: Uint8Array): void;
}

/** Which channel; `session` 0: the first of a viewer, which must be the main channel. */
interface ChannelId {
  readonly type: number;
  readonly id?: number;
  readonly session?: number;
}

/** One channel of a SPICE client, as far as tests need one: the link with an empty ticket, and whole messages. */
export class SpiceChannel {
  readonly #reader: ByteReader;
  readonly #ends: SpiceEnds;
  #serial = 0n;
  #window = 0;
  #unacknowledged = 0;

  private constructor(ends: SpiceEnds) {
    this.#ends = ends;
    this.#reader = new ByteReader(ends.input);
  }

  /** Links it. @throws {Error} when the server refuses. */
  static async open(ends: SpiceEnds, { type, id = 0, session = 0 }: ChannelId): Promise<SpiceChannel> {
    const channel = new SpiceChannel(ends);
    const message = Buffer.alloc(18);
    message.writeUInt32LE(session, 0);
    message.writeUInt8(type, 4);
    message.writeUInt8(id, 5);
    // No capabilities: full headers, and the ticket without a choice of how it is checked.
    message.writeUInt32LE(message.length, 14);
    ends.send(Buffer.concat([magic, words(2, 2, message.length), message]));
    const header = await channel.#reader.take(16);
    if (!header.subarray(0, 4).equals(magic) || header.readUInt32LE(4) !== 2) throw new Error("this is not SPICE 2");
    const reply = await channel.#reader.take(Math.min(header.readUInt32LE(12), 4096));
    if (reply.readUInt32LE(0) !== 0) throw new Error(`the link was refused: error ${reply.readUInt32LE(0)}`);
    const key = createPublicKey({ key: reply.subarray(4, 4 + keyBytes), format: "der", type: "spki" });
    const padding = constants.RSA_PKCS1_OAEP_PADDING;
    ends.send(publicEncrypt({ key, padding, oaepHash: "sha1" }, Buffer.from([0])));
    const result = (await channel.#reader.take(4)).readUInt32LE(0);
    if (result !== 0) throw new Error(`the ticket was refused: error ${result}`);
    return channel;
  }

  /** The body of the next message of a type; others are passed over, and answered where they must be. */
  async message(wanted: number): Promise<Buffer> {
    for (;;) {
      const header = await this.#reader.take(headerBytes);
      const [type, size] = [header.readUInt16LE(8), header.readUInt32LE(10)];
      if (size > maxMessageBytes) throw new Error(`a message of ${size} bytes`);
      const body = Buffer.from(await this.#reader.take(size));
      if (type === common.setAck) {
        this.#window = body.readUInt32LE(4);
        this.send(common.ackSync, body.subarray(0, 4));
      } else if (type === common.ping) {
        this.send(common.pong, body.subarray(0, 12));
      }
      this.#unacknowledged += 1;
      if (this.#window > 0 && this.#unacknowledged >= this.#window) {
        this.#unacknowledged = 0;
        this.send(common.ack, Buffer.alloc(0));
      }
      if (type === wanted) return body;
    }
  }

  send(type: number, body: Uint8Array): void {
    const header = Buffer.alloc(headerBytes);
    this.#serial += 1n;
    header.writeBigUInt64LE(this.#serial, 0);
    header.writeUInt16LE(type, 8);
    header.writeUInt32LE(body.length, 10);
    this.#ends.send(Buffer.concat([header, body]));
  }

  /** Opens the display, and resolves when its screen has a size: it has another one until QEMU has drawn what the guest shows. */
  async sees(width: number, height: number): Promise<void> {
    // Caches of no size worth mentioning, and a window of none.
    this.send(spiceRequests.displayInit, Buffer.alloc(14));
    for (;;) {
      const surface = await this.message(spiceMessages.surfaceCreate);
      if (surface.readUInt32LE(4) === width && surface.readUInt32LE(8) === height) return;
    }
  }

  /** Types of the channels that there are, of the main channel. */
  async channels(): Promise<readonly number[]> {
    this.send(spiceRequests.attachChannels, Buffer.alloc(0));
    const list = await this.message(spiceMessages.channelsList);
    return Array.from({ length: list.readUInt32LE(0) }, (_, index) => list.readUInt8(4 + 2 * index));
  }
}

/** Links the main channel; resolves to it and the session that the other channels belong to. */
export async function openSpice(ends: SpiceEnds): Promise<{ readonly main: SpiceChannel; readonly session: number }> {
  const main = await SpiceChannel.open(ends, { type: spiceChannels.main });
  const init = await main.message(spiceMessages.mainInit);
  return { main, session: init.readUInt32LE(0) };
}

/** Numbers of 32 bits, as the protocol writes them. */
export function words(...numbers: readonly number[]): Buffer {
  const bytes = Buffer.alloc(4 * numbers.length);
  for (const [index, number] of numbers.entries()) bytes.writeUInt32LE(number, 4 * index);
  return bytes;
}
