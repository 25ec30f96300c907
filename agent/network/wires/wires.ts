import { KeyedQueue } from "../../../lib/keyed-queue.js";
import type { Log } from "../../../lib/log.js";
import type { NicWires } from "../instance-networks.js";
import {
  collectionOf,
  endText,
  type EndKeeper,
  endsOf,
  nicInLan,
  nicInWire,
  type NicInterface,
  type ObservedEnd,
  type ObservedWire,
  type WireConfig,
  whyAway,
} from "./wire-ends.js";
import type { Forwarder, PairNews, PortPair } from "./forwarder.js";

/** What those need of wires whose interfaces can be at their ends. */
export type EndWires = Pick<Wires, "holderOf" | "enterLan" | "leaveLan" | "appeared" | "vanished">;

/** What of the one that moves the frames the wires need. */
export type WireForwarder = Pick<Forwarder, "assertAble" | "join" | "part" | "faultOf" | "onChange" | "close"> &
  Partial<Pick<Forwarder, "onPort">>;

const nothing: ObservedEnd = { port: "", carrier: false, mtu: 0 };

/**
 * The wires of a host: which NIC is in which, what is there of them, and who has carrier. Two interfaces that are there are joined at once;
 * what is there no more takes the carrier of the other end with it.
 */
export class Wires implements NicWires {
  readonly #forwarder: WireForwarder;
  readonly #setCarrier: (port: string, up: boolean) => Promise<void>;
  readonly #log: Log;
  readonly #wires = new Map<string, WireConfig>();
  /** Which wire a NIC is in, by uid. */
  readonly #uidOf = new Map<string, string>();
  readonly #there = new Map<string, NicInterface>();
  /** Ports in the middle of split wires, by uid. */
  readonly #middles = new Map<string, PortPair>();
  /** NICs that are in a lan, or about to be. */
  readonly #inLans = new Map<string, string>();
  readonly #queue = new KeyedQueue();
  readonly #carrierListeners = new Set<(nic: string) => void>();
  readonly #listeners = new Set<(uid: string, news: PairNews) => void>();
  /** By collection, "phys". */
  readonly #keepers = new Map<string, EndKeeper>();
  /** What has no cable in it, as far as it was looked. */
  readonly #loose = new Set<string>();
  /** Collections of which it is known what is there: before that, what is not may only not have been looked for. */
  readonly #settled = new Set(["lans"]);

  /** @param options.setCarrier gives the other side of a veth carrier or takes it. */
  constructor(options: {
    readonly forwarder: WireForwarder;
    readonly setCarrier: (port: string, up: boolean) => Promise<void>;
    readonly log: Log;
  }) {
    this.#forwarder = options.forwarder;
    this.#setCarrier = options.setCarrier;
    this.#log = options.log;
    this.#forwarder.onChange((id, news) => this.#tell(uidOfPair(id), news));
    this.#forwarder.onPort?.((port) => this.#onPort(port));
  }

  /** Has the ends of a collection kept by somebody, who is told which of them wires have. */
  keep(collection: string, keeper: EndKeeper): void {
    this.#keepers.set(collection, keeper);
  }

  /** Looks whether a wire can have what is to be at an end. @throws {ZorError} */
  async examine(end: string): Promise<void> {
    await this.#keepers.get(collectionOf(end))?.examine(end);
  }

  /** Looks whether this host can have wires. @throws {ZorError} FAILED_PRECONDITION naming what it lacks. */
  async assertAble(): Promise<void> {
    await this.#forwarder.assertAble();
  }

  /** @throws {ZorError} FAILED_PRECONDITION: a NIC is in a lan, or in another wire than that of this uid. */
  assertFree(nic: string, uid: string): void {
    const holder = this.#wireOf(nic);
    if (holder !== undefined && holder.uid !== uid) throw nicInWire(nic, holder.name);
    const lan = this.#inLans.get(nic);
    if (lan !== undefined) throw nicInLan(nic, lan);
  }

  /** Makes a wire or brings it to this configuration. Idempotent. @throws {ZorError} FAILED_PRECONDITION: a NIC is in something else; nothing has changed. */
  async ensure(wire: WireConfig): Promise<void> {
    for (const nic of endsOf(wire)) this.assertFree(nic, wire.uid);
    const before = this.#wires.get(wire.uid);
    this.#wires.set(wire.uid, wire);
    const had = before === undefined ? [] : endsOf(before);
    for (const nic of had) this.#uidOf.delete(nic);
    for (const nic of endsOf(wire)) this.#uidOf.set(nic, wire.uid);
    try {
      for (const end of endsOf(wire)) if (!had.includes(end)) await this.#follow(end);
    } catch (error) {
      await this.#back(wire, before);
      throw error;
    }
    await this.#bring(wire.uid);
    // What was pulled out has no carrier any more.
    for (const nic of had) if (!this.#uidOf.has(nic)) await this.#letGo(nic);
  }

  /** Takes a wire away; its ends lose carrier. Idempotent. */
  async remove(uid: string): Promise<void> {
    const wire = this.#wires.get(uid);
    if (wire === undefined) return;
    this.#wires.delete(uid);
    for (const nic of endsOf(wire)) this.#uidOf.delete(nic);
    await this.#queue.run(uid, () => this.#join(uid, []));
    for (const nic of endsOf(wire)) await this.#letGo(nic);
  }

  /** What is in the middle of a split wire: the port that end a is joined to, and end b's. Undefined: nothing is any more, and what was is gone. */
  async setMiddle(uid: string, middle: PortPair | undefined): Promise<void> {
    if (middle === undefined) this.#middles.delete(uid);
    else this.#middles.set(uid, middle);
    if (this.#wires.get(uid)?.isSplit === true) await this.#bring(uid);
  }

  observe(uid: string): ObservedWire | undefined {
    const wire = this.#wires.get(uid);
    if (wire === undefined) return undefined;
    return { a: this.#end(wire.a), b: this.#end(wire.b), fault: this.#faultOf(wire) };
  }

  holderOf(nic: string): string {
    return this.#wireOf(nic)?.name ?? "";
  }

  mtuOf(nic: string): number | undefined {
    return this.#wireOf(nic)?.mtu;
  }

  carrierOf(nic: string): boolean | undefined {
    const wire = this.#wireOf(nic);
    if (wire === undefined) return false;
    if (wire.keepCarrier) return true;
    if (wire.cut || wire.isDark === true) return false;
    const other = wire.a === nic ? wire.b : wire.a;
    if (other === "") return false;
    if (this.#there.has(other)) return this.#hasCable(other);
    return this.#settled.has(collectionOf(other)) ? false : undefined;
  }

  onCarrier(listener: (nic: string) => void): () => void {
    this.#carrierListeners.add(listener);
    return () => void this.#carrierListeners.delete(listener);
  }

  /** Calls back with the uid of a wire of which something has changed. Returns the way to stop. */
  onChange(listener: (uid: string, news: PairNews) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** A NIC is about to be plugged into a lan. False: it is in one already. @throws {ZorError} FAILED_PRECONDITION: it is in a wire. */
  enterLan(nic: string, lan: string): boolean {
    const wire = this.#wireOf(nic);
    if (wire !== undefined) throw nicInWire(nic, wire.name);
    const isNew = !this.#inLans.has(nic);
    this.#inLans.set(nic, lan);
    return isNew;
  }

  leaveLan(nic: string): void {
    this.#inLans.delete(nic);
  }

  /** The interface of a NIC has been made, or found. */
  async appeared(nic: string, it: NicInterface): Promise<void> {
    this.#there.set(nic, it);
    const uid = this.#uidOf.get(nic);
    if (uid !== undefined) await this.#bring(uid);
    else if (collectionOf(nic) !== "instances") await this.#show(nic);
  }

  /** The interface of a NIC is about to be removed. */
  async vanished(nic: string): Promise<void> {
    this.#inLans.delete(nic);
    this.#loose.delete(nic);
    if (!this.#there.delete(nic)) return;
    const uid = this.#uidOf.get(nic);
    if (uid !== undefined) await this.#bring(uid);
  }

  /** Everything of a collection that is there has appeared: what has not is not there. */
  async settle(collection = "instances"): Promise<void> {
    if (this.#settled.has(collection)) return;
    this.#settled.add(collection);
    for (const [uid, wire] of this.#wires) {
      if (endsOf(wire).some((end) => collectionOf(end) === collection)) await this.#bring(uid);
    }
  }

  /** Lets go of the wires, which stay. */
  async close(): Promise<void> {
    await this.#forwarder.close();
  }

  /** Never rejects: what does not work is seen, and tried again. */
  async #bring(uid: string): Promise<void> {
    await this.#queue.run(uid, async () => {
      const wire = this.#wires.get(uid);
      if (wire === undefined) return;
      const [a, b] = [this.#there.get(wire.a), this.#there.get(wire.b)];
      try {
        for (const end of endsOf(wire)) await this.#fit(end, wire.mtu);
        if (wire.cut) await this.#join(uid, []);
        else if (a !== undefined && b !== undefined) {
          const pairs = this.#pairsOf(wire, { a: a.port, b: b.port });
          if (pairs !== undefined) await this.#join(uid, pairs);
        }
        // Of one that is not known yet the frames go on.
        else if (this.#isKnown(wire)) await this.#join(uid, []);
      } catch (error) {
        this.#log.warn({ err: error, wire: wire.name }, "a wire could not be brought to what it should be");
      }
    });
    const wire = this.#wires.get(uid);
    for (const nic of wire === undefined ? [] : endsOf(wire)) await this.#show(nic);
    this.#tell(uid);
  }

  /** What is to be joined; undefined: what is in the middle is not known yet, and until then the frames go on as they do. */
  #pairsOf({ uid, isSplit }: WireConfig, ends: PortPair): readonly PortPair[] | undefined {
    if (isSplit !== true) return [ends];
    const middle = this.#middles.get(uid);
    if (middle === undefined) return undefined;
    return [
      { a: ends.a, b: middle.a },
      { a: ends.b, b: middle.b },
    ];
  }

  /** Joins these ports for a wire, and what was joined for it besides no more. */
  async #join(uid: string, pairs: readonly PortPair[]): Promise<void> {
    for (const place of pairPlaces) {
      if (pairs[place] === undefined) await this.#forwarder.part(idOfPair(uid, place));
    }
    for (const [place, pair] of pairs.entries()) await this.#forwarder.join(idOfPair(uid, place), pair);
  }

  /** Has the guest see whether a NIC has carrier. Never rejects. */
  async #show(nic: string): Promise<void> {
    await this.#queue.run(nic, async () => {
      const it = this.#there.get(nic);
      const up = this.carrierOf(nic);
      if (it === undefined || up === undefined || this.#inLans.has(nic) || it.isAlwaysUp === true) return;
      if (!it.isVeth) {
        for (const listener of this.#carrierListeners) listener(nic);
        return;
      }
      await this.#setCarrier(it.port, up).catch((error: unknown) => {
        // One that was removed meanwhile has none to show.
        if (this.#there.get(nic) === it) this.#log.warn({ err: error, nic }, "the carrier of a NIC could not be set");
      });
    });
  }

  #faultOf(wire: WireConfig): string {
    if (wire.cut) return "it is cut";
    const unplugged = [wire.a === "" ? "a" : "", wire.b === "" ? "b" : ""].filter((end) => end !== "");
    if (unplugged.length > 0) return `end ${unplugged.join(" and end ")} is unplugged`;
    const away = endsOf(wire).filter((nic) => !this.#there.has(nic));
    if (away.length > 0) return away.map((end) => `${endText(end)}: ${whyAway(end)}`).join("; ");
    const loose = endsOf(wire).filter((end) => !this.#hasCable(end));
    if (loose.length > 0) return `${loose.join(" and ")}: no cable is in it, or nothing runs at its other end`;
    const places = wire.isSplit === true ? pairPlaces : [0];
    const faults = places.map((place) => this.#forwarder.faultOf(idOfPair(wire.uid, place)) ?? "it is being made");
    return faults.find((fault) => fault !== "") ?? "";
  }

  /** Brings an end where it belongs. @throws {ZorError} */
  async #follow(end: string): Promise<void> {
    await this.#keepers.get(collectionOf(end))?.follow(end);
  }

  /** An end is in no wire any more. Never rejects: its keeper tries again. */
  async #letGo(end: string): Promise<void> {
    await this.#show(end);
    await this.#follow(end).catch((error: unknown) => {
      this.#log.warn({ err: error, end }, "what a wire has let go of could not be brought back");
    });
  }

  /** What could not be had: all is as before. */
  async #back(wire: WireConfig, before: WireConfig | undefined): Promise<void> {
    for (const end of endsOf(wire)) this.#uidOf.delete(end);
    if (before === undefined) this.#wires.delete(wire.uid);
    else this.#wires.set(wire.uid, before);
    const had = before === undefined ? [] : endsOf(before);
    for (const end of had) this.#uidOf.set(end, wire.uid);
    for (const end of endsOf(wire)) if (!had.includes(end)) await this.#letGo(end);
  }

  /** Gives an end the wire's MTU that can have it at once. */
  async #fit(end: string, mtu: number | undefined): Promise<void> {
    const it = this.#there.get(end);
    if (it?.setMtu === undefined || mtu === undefined || it.mtu === mtu) return;
    await it.setMtu(mtu);
    this.#there.set(end, { ...it, mtu });
  }

  #isKnown(wire: WireConfig): boolean {
    return endsOf(wire).every((end) => this.#there.has(end) || this.#settled.has(collectionOf(end)));
  }

  #hasCable(end: string): boolean {
    return this.#there.get(end)?.hasCable?.() ?? true;
  }

  /** The kernel has told of a port: a cable may have been pulled out of it, or put in. */
  #onPort(port: string | undefined): void {
    for (const [end, it] of this.#there) {
      if (it.hasCable === undefined || (port !== undefined && it.port !== port)) continue;
      const isLoose = !it.hasCable();
      if (isLoose === this.#loose.has(end)) continue;
      if (isLoose) this.#loose.add(end);
      else this.#loose.delete(end);
      const uid = this.#uidOf.get(end);
      if (uid !== undefined) void this.#bring(uid);
    }
  }

  #end(nic: string): ObservedEnd {
    const it = this.#there.get(nic);
    if (it === undefined) return nothing;
    const carrier = it.isAlwaysUp === true || (this.carrierOf(nic) ?? true);
    return { port: it.port, carrier: carrier && this.#hasCable(nic), mtu: it.mtu };
  }

  #wireOf(nic: string): WireConfig | undefined {
    return this.#wires.get(this.#uidOf.get(nic) ?? "");
  }

  #tell(uid: string, news: PairNews = "changed"): void {
    for (const listener of this.#listeners) listener(uid, news);
  }
}

/** A wire is one pair of ports, or two when it is split. */
const pairPlaces = [0, 1];
const secondHalf = "~b";

function idOfPair(uid: string, place: number): string {
  return place === 0 ? uid : `${uid}${secondHalf}`;
}

function uidOfPair(id: string): string {
  return id.endsWith(secondHalf) ? id.slice(0, -secondHalf.length) : id;
}
