import { ByteReader } from "../../tui/client/screen/byte-reader.js";
import { type SpiceChannel, spiceMessages, spiceRequests, words } from "./spice-client.js";

/** Packets, as the protocol numbers them (usbredir, usbredirproto.h). */
const packets = { hello: 0, deviceConnect: 1, interfaceInfo: 4, endpointInfo: 5, control: 100 } as const;
/** What an xhci needs of the other side: versions of devices, sizes of packets, ids of 64 bits, lengths of 32 bits. */
const capabilities = (1 << 1) | (1 << 4) | (1 << 5) | (1 << 6);
const helloBytes = 64;
const maxPacketBytes = 64 * 1024;
const stalled = 4;
const unused = 0xff;

/** What the guest asks of a device on its endpoint 0. */
export interface ControlRequest {
  readonly requestType: number;
  readonly request: number;
  readonly value: number;
}

/** A keyboard that is not there, plugged into a guest over a channel of SPICE: it hears what it is asked, and answers nothing. */
export class RedirectedDevice {
  readonly #channel: SpiceChannel;
  readonly #reader: ByteReader;

  private constructor(channel: SpiceChannel) {
    this.#channel = channel;
    this.#reader = new ByteReader(dataOf(channel));
  }

  /** Greets QEMU and plugs it in. */
  static async plug(channel: SpiceChannel): Promise<RedirectedDevice> {
    const device = new RedirectedDevice(channel);
    const header = await device.#reader.take(12);
    const hello = await device.#reader.take(Math.min(header.readUInt32LE(4), maxPacketBytes));
    if (header.readUInt32LE(0) !== packets.hello || !/^qemu usb-redir guest/.test(hello.toString("latin1"))) {
      throw new Error(`this is no greeting of QEMU: ${hello.toString("latin1", 0, helloBytes)}`);
    }
    const version = Buffer.alloc(helloBytes);
    version.write("a device of the tests");
    // Ids have 32 bits until both have said what they can.
    device.#send(Buffer.concat([words(packets.hello, helloBytes + 4, 0), version, words(capabilities)]));
    // Types, intervals and interfaces of 32 endpoints, and how long their packets may be: there is endpoint 0, both ways.
    const endpoints = Buffer.alloc(96 + 64);
    endpoints.fill(unused, 0, 32);
    for (const index of [0, 16]) {
      endpoints.writeUInt8(0, index);
      endpoints.writeUInt16LE(64, 96 + 2 * index);
    }
    device.#sendPacket(packets.endpointInfo, endpoints);
    // One interface: a keyboard of those that firmware looks for.
    const interfaces = Buffer.alloc(4 + 128);
    interfaces.writeUInt32LE(1, 0);
    interfaces.set([3], 4 + 32);
    interfaces.set([1], 4 + 64);
    interfaces.set([1], 4 + 96);
    device.#sendPacket(packets.interfaceInfo, interfaces);
    // Full speed, of a class that its interfaces tell; vendor, product and version.
    device.#sendPacket(packets.deviceConnect, Buffer.from([1, 0, 0, 0, 0x34, 0x12, 0x78, 0x56, 0, 1]));
    return device;
  }

  /** The next thing that the guest asks; it is told that the device cannot. */
  async asked(): Promise<ControlRequest> {
    for (;;) {
      const header = await this.#reader.take(16);
      const [type, length] = [header.readUInt32LE(0), header.readUInt32LE(4)];
      if (length > maxPacketBytes) throw new Error(`a packet of ${length} bytes`);
      const body = Buffer.from(await this.#reader.take(length));
      if (type !== packets.control) continue;
      const [request, requestType, value] = [body.readUInt8(1), body.readUInt8(2), body.readUInt16LE(4)];
      body.writeUInt8(stalled, 3);
      body.writeUInt16LE(0, 8);
      this.#sendPacket(packets.control, body.subarray(0, 10), header.readBigUInt64LE(8));
      return { requestType, request, value };
    }
  }

  #sendPacket(type: number, body: Uint8Array, id = 0n): void {
    const header = Buffer.alloc(16);
    header.writeUInt32LE(type, 0);
    header.writeUInt32LE(body.length, 4);
    header.writeBigUInt64LE(id, 8);
    this.#send(Buffer.concat([header, body]));
  }

  #send(data: Uint8Array): void {
    this.#channel.send(spiceRequests.data, data);
  }
}

/** What a channel carries, in pieces of any size. */
async function* dataOf(channel: SpiceChannel): AsyncGenerator<Uint8Array> {
  for (;;) yield await channel.message(spiceMessages.data);
}
