import { ByteReader } from "./byte-reader.js";
import { Framebuffer } from "./framebuffer.js";

/** Encodings (RFC 6143, 7.7 and 7.8.2): what is not asked for is not sent. */
const encodings = { raw: 0, copyRect: 1, desktopSize: -223 } as const;
/** Longest text that a server may send along: a name, a reason, a clipboard. */
const maxTextBytes = 1024 * 1024;
const noSecurity = 1;

/** Where a server is heard and spoken to. */
export interface RfbTransport {
  readonly input: AsyncIterable<Uint8Array>;
  readonly send: (data: Buffer) => void;
}

/**
 * A client of the remote framebuffer protocol (RFC 6143, version 3.8) for servers without a password. What the server sends is taken for
 * hostile: sizes are bounded, and what is not understood ends the connection.
 */
export class RfbClient {
  readonly screen: Framebuffer;
  readonly #reader: ByteReader;
  readonly #send: (data: Buffer) => void;

  private constructor(reader: ByteReader, send: (data: Buffer) => void, screen: Framebuffer) {
    this.#reader = reader;
    this.#send = send;
    this.screen = screen;
  }

  /** Greets the server. @throws {Error} when it is none, or wants a password. */
  static async open({ input, send }: RfbTransport): Promise<RfbClient> {
    const reader = new ByteReader(input);
    const greeting = (await reader.take(12)).toString("latin1");
    if (!/^RFB 003\.(00[89]|0[1-9]\d|[1-9]\d\d)\n$/.test(greeting))
      throw new Error("what answers is no screen (RFB 3.8)");
    send(Buffer.from("RFB 003.008\n"));
    const count = (await reader.take(1))[0] ?? 0;
    if (count === 0) throw new Error(`the screen refuses: ${await readText(reader)}`);
    if (!(await reader.take(count)).includes(noSecurity)) throw new Error("the screen wants a password");
    send(Buffer.from([noSecurity]));
    if ((await reader.take(4)).readUInt32BE() !== 0) throw new Error(`the screen refuses: ${await readText(reader)}`);
    // Others may look too.
    send(Buffer.from([1]));
    const start = await reader.take(24);
    const screen = new Framebuffer(start.readUInt16BE(0), start.readUInt16BE(2));
    await reader.skip(boundedText(start.readUInt32BE(20)));
    const client = new RfbClient(reader, send, screen);
    client.#setUp();
    return client;
  }

  /** Asks for what has changed, or for all. Answered by the next {@link update}. */
  request(incremental: boolean): void {
    const message = Buffer.alloc(10);
    message.writeUInt8(3, 0);
    message.writeUInt8(incremental ? 1 : 0, 1);
    message.writeUInt16BE(this.screen.width, 6);
    message.writeUInt16BE(this.screen.height, 8);
    this.#send(message);
  }

  /** Presses or releases a key, by its X11 keysym. */
  key(keysym: number, isDown: boolean): void {
    const message = Buffer.alloc(8);
    message.writeUInt8(4, 0);
    message.writeUInt8(isDown ? 1 : 0, 1);
    message.writeUInt32BE(keysym, 4);
    this.#send(message);
  }

  /** Resolves when the picture has been brought up to date. @throws {Error} when the server ends, or sends what makes no sense. */
  async update(): Promise<void> {
    for (;;) {
      const type = (await this.#reader.take(1))[0];
      switch (type) {
        case 0:
          return await this.#readUpdate();
        case 1:
          // Colours of a palette, which was not asked for.
          await this.#reader.skip((await this.#reader.take(5)).readUInt16BE(3) * 6);
          break;
        case 2:
          break;
        case 3:
          // The clipboard.
          await this.#reader.skip(boundedText((await this.#reader.take(7)).readUInt32BE(3)));
          break;
        default:
          throw new Error(`the screen sent a message of an unknown type, ${type ?? 0}`);
      }
    }
  }

  #setUp(): void {
    const format = Buffer.alloc(20);
    // 32 bits a pixel, 24 of them used, little endian, true colour, 8 bits each for red, green and blue.
    format.set([0, 0, 0, 0, 32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 16, 8, 0]);
    const wanted = Object.values(encodings);
    const list = Buffer.alloc(4 + 4 * wanted.length);
    list.writeUInt8(2, 0);
    list.writeUInt16BE(wanted.length, 2);
    wanted.forEach((encoding, index) => void list.writeInt32BE(encoding, 4 + 4 * index));
    this.#send(format);
    this.#send(list);
  }

  async #readUpdate(): Promise<void> {
    const count = (await this.#reader.take(3)).readUInt16BE(1);
    for (let index = 0; index < count; index++) await this.#readPart();
  }

  async #readPart(): Promise<void> {
    const head = await this.#reader.take(12);
    const [x, y] = [head.readUInt16BE(0), head.readUInt16BE(2)];
    const part = { x, y, width: head.readUInt16BE(4), height: head.readUInt16BE(6) };
    const encoding = head.readInt32BE(8);
    if (encoding === encodings.desktopSize) {
      this.screen.resize(part.width, part.height);
      return;
    }
    this.screen.assertInside(part);
    if (encoding === encodings.raw) {
      for (let row = 0; row < part.height; row++) {
        this.screen.putRow(x, y + row, await this.#reader.take(part.width * 4));
      }
    } else if (encoding === encodings.copyRect) {
      const source = await this.#reader.take(4);
      const from = { x: source.readUInt16BE(0), y: source.readUInt16BE(2) };
      this.screen.assertInside({ ...part, ...from });
      this.screen.copy(from, part);
    } else throw new Error(`the screen sent pixels in an encoding that was not asked for, ${encoding}`);
    this.screen.touch(part);
  }
}

async function readText(reader: ByteReader): Promise<string> {
  return (await reader.take(boundedText((await reader.take(4)).readUInt32BE()))).toString("utf8").slice(0, 200);
}

function boundedText(length: number): number {
  if (length > maxTextBytes) throw new Error(`the screen sent a text of ${length} bytes`);
  return length;
}
