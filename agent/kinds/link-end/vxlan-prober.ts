import { testEthertype } from "../../../lib/net/test-frame.js";
import { PacketSocket } from "../../network/packet-socket.js";
import { type ProbeAddresses, ProbeExchange } from "./vxlan-probe.js";

/** Frames taken at once: an honest end sends one a second. */
const framesAtOnce = 64;

/** Exchanges probes with the other end through a link's own device, so that they go the way of all its frames. */
export class VxlanProber {
  readonly #netns: string | undefined;
  readonly #addresses: ProbeAddresses;
  readonly #exchange: ProbeExchange;
  #open: { readonly ifindex: number; readonly socket: PacketSocket } | undefined;

  /** @param netns net namespace of the device by name; undefined: the agent's own. */
  constructor(netns: string | undefined, addresses: ProbeAddresses) {
    this.#netns = netns;
    this.#addresses = addresses;
    this.#exchange = new ProbeExchange(addresses);
  }

  /**
   * Takes what came since the last time and sends the next probe. True: the other end has got a probe of ours.
   * @throws {SystemCallError} the device has gone or is down; the next call tries again.
   */
  exchange(ifindex: number): boolean {
    if (this.#open?.ifindex !== ifindex) this.close();
    const frames = { destination: this.#addresses.other, ethertype: testEthertype };
    this.#open ??= { ifindex, socket: PacketSocket.open({ ifindex, netns: this.#netns }, frames) };
    const { socket } = this.#open;
    try {
      let answered = false;
      for (let frames = 0; frames < framesAtOnce; frames += 1) {
        const frame = socket.receive();
        if (frame === undefined) break;
        if (this.#exchange.take(frame)) answered = true;
      }
      socket.send(this.#exchange.next());
      return answered;
    } catch (error) {
      this.close();
      throw error;
    }
  }

  close(): void {
    this.#open?.socket.close();
    this.#open = undefined;
  }
}
