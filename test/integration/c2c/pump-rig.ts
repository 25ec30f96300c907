import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { duplicate } from "../../../agent/engine/native.js";
import { stat } from "../../../agent/engine/frames/stats.js";
import { makeTap } from "../../../agent/engine/frames/switch-tap.js";
import { type CableSlot, CablePool } from "../../../agent/engine/threads/cable-pool.js";
import { eventually } from "../../helpers/eventually.js";
import { makeNetns, type TestNetns } from "../../helpers/netns.js";

/** One cable: its address at side b, and what is known of its ends. */
export interface PumpCable {
  readonly ipB: string;
  readonly a: CableSlot;
  readonly b: CableSlot;
}

/** Cables without engines: the threads of one pool move the frames of both sides, over connections within this host. */
export class PumpRig {
  readonly #pool: CablePool;
  #made = 0;

  private constructor(
    readonly a: TestNetns,
    readonly b: TestNetns,
  ) {
    this.#pool = new CablePool({
      netns: a.name,
      onCrash: (error) => {
        throw error;
      },
    });
  }

  static async make(): Promise<PumpRig> {
    return new PumpRig(await makeNetns("pa"), await makeNetns("pb"));
  }

  /** Makes a cable of which frames have crossed both ways. Cables share threads once there are as many as cores. */
  async addCable(): Promise<PumpCable> {
    this.#made += 1;
    const proven = [0, 0];
    const [fdA, fdB] = await connectedPair();
    const slots: CableSlot[] = [];
    for (const [side, netns] of [this.a, this.b].entries()) {
      const name = `ztp${side}-${process.pid}-${this.#made}`.slice(0, 15);
      const tap = await makeTap({ name, netns: netns.name, signal: new AbortController().signal });
      await netns.ip("addr", "add", `10.203.${this.#made}.${side + 1}/24`, "dev", name);
      const slot = this.#pool.add(tap, (event) => {
        if (event.type === "proven") proven[side] = 1;
      });
      const fd = side === 0 ? fdA : fdB;
      slot.attach(1, { fd, leftover: new Uint8Array(0), tls: undefined, offload: tap.offload });
      slots.push(slot);
    }
    await eventually(() => {
      if (proven.includes(0)) throw new Error("no frames have crossed yet");
    });
    const [a, b] = slots;
    if (a === undefined || b === undefined) throw new Error("a cable has two ends");
    return { ipB: `10.203.${this.#made}.2`, a, b };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pool.close();
    await this.a[Symbol.asyncDispose]();
    await this.b[Symbol.asyncDispose]();
  }
}

/** Frames that came out of an end. */
export function receivedFrames(end: CableSlot): number {
  return end.stats[stat.rxFrames] ?? 0;
}

/** Descriptors of both sides of a TCP connection. */
async function connectedPair(): Promise<[number, number]> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the server has no port");
  const accepted = once(server, "connection") as Promise<[Socket]>;
  const dialled = connect({ host: "127.0.0.1", port: address.port, noDelay: true });
  const [answered] = await accepted;
  await once(dialled, "connect");
  server.close();
  return [take(dialled), take(answered.setNoDelay(true))];
}

/** Takes a socket out of Node's hands. */
function take(socket: Socket): number {
  // The descriptor has no public name.
  const fd = duplicate((socket as unknown as { readonly _handle: { readonly fd: number } })._handle.fd);
  socket.destroy();
  return fd;
}
