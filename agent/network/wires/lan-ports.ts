import { setUpQuietly } from "../../../lib/net/quiet-device.js";
import { tagHeadroomBytes } from "../bridge-operations.js";
import { ip } from "../ip.js";
import type { LanPair, LanPairs } from "../lan-pairs.js";
import { toTapMac, toWireDeviceName, toWirePortName } from "../names.js";
import { lanEnd } from "./wire-ends.js";
import type { EndWires } from "./wires.js";

/** The port in a lan that a wire ends at. */
export interface LanPort {
  /** Of the wire. */
  readonly uid: string;
  /** Resource name of the wire, the endpoint in the lan. */
  readonly name: string;
  /** Resource name of the lan, and its MTU in bytes. */
  readonly lan: string;
  readonly mtu: number;
}

/** Ports of lans that are ends of wires: veth pairs, one side in the lan, the other joined with what is at the other end. */
export class LanPorts {
  readonly #agentUid: string;
  readonly #pairs: LanPairs;
  readonly #wires: EndWires;
  /** Which end a wire's port is, by its uid. */
  readonly #ends = new Map<string, string>();

  constructor(options: { readonly agentUid: string; readonly pairs: LanPairs; readonly wires: EndWires }) {
    this.#agentUid = options.agentUid;
    this.#pairs = options.pairs;
    this.#wires = options.wires;
  }

  /** Makes a wire's port, or brings it to this lan. Idempotent. @throws {ZorError} */
  async ensure({ uid, name, lan, mtu }: LanPort): Promise<void> {
    const pair = this.#pairOf(uid);
    const end = lanEnd(lan, uid);
    const { netns } = this.#pairs;
    const before = this.#ends.get(uid);
    if (before !== undefined && before !== end) await this.#wires.vanished(before);
    this.#ends.set(uid, end);
    await this.#pairs.ensure(pair);
    await this.#pairs.prepare(pair, mtu);
    const set = ["link", "set", "dev", pair.device];
    await ip([...set, "addrgenmode", "none"], { netns });
    await ip([...set, "mtu", String(mtu + tagHeadroomBytes)], { netns });
    setUpQuietly(netns, pair.device);
    const id = lan.slice(lan.lastIndexOf("/") + 1);
    await this.#pairs.plug(pair.port, { lan: id, name, mtu, portSettings: undefined });
    await this.#wires.appeared(end, { port: pair.device, mtu, isVeth: true, isAlwaysUp: true });
  }

  /** Removes the port of a wire, if it has one. Idempotent. */
  async remove(uid: string): Promise<void> {
    const end = this.#ends.get(uid);
    this.#ends.delete(uid);
    if (end !== undefined) await this.#wires.vanished(end);
    const { port, tag } = this.#pairOf(uid);
    await this.#pairs.remove(port, tag);
  }

  /** Whether it is whole. Costs a system call. */
  isThere({ uid, lan }: Pick<LanPort, "uid" | "lan">): boolean {
    return this.#pairs.isPlugged(toWirePortName(uid), lan.slice(lan.lastIndexOf("/") + 1));
  }

  #pairOf(uid: string): LanPair {
    const [port, device] = [toWirePortName(uid), toWireDeviceName(uid)];
    const tag = `zor-agent=${this.#agentUid} zor-wire=${uid}`;
    return { port, device, netns: this.#pairs.netns, mac: toTapMac(uid), tag };
  }
}
