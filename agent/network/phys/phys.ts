import { failedPrecondition } from "../../../lib/errors.js";
import { findDevice } from "../../../lib/net/device.js";
import { setUpQuietly } from "../../../lib/net/quiet-device.js";
import type { PortSettings } from "../../../proto/gen/zor/v1/port.js";
import { tagHeadroomBytes } from "../bridge-operations.js";
import type { Bridges } from "../bridges.js";
import { findLink, ip, type Link } from "../ip.js";
import type { EndWires } from "../wires/wires.js";
import { toPhyMac, toPhyPortName } from "../names.js";
import { findTaken, giveBack, type PhyOwner } from "./give-back.js";
import { assertKernelHas, makeChild } from "./phy-children.js";
import { whyNotTaken } from "./phy-facts.js";
import { dangersOf, type OwnConnections, readOwnConnections, readWays } from "./phy-guards.js";
import type { PhyWay } from "./phy-policy.js";
import { type PhyRecord, PhyRecords, phyTag, recordsDirectory } from "./phy-record.js";
import { type FoundDevice, readDevice } from "./read-facts.js";
import { graceMs, rollBack, startGuardian } from "./roll-back.js";

/** What a phy should be, checked. */
export interface PhyConfig {
  readonly uid: string;
  /** Resource name, the endpoint in its lan. */
  readonly name: string;
  /** "": in no lan. */
  readonly lan: string;
  /** It is in a wire. What is in neither is the host's. */
  readonly isWired: boolean;
  /** In bytes. */
  readonly mtu: number;
  readonly device: string;
  readonly mode: PhyWay;
  /** 0: of none. */
  readonly vlanId: number;
  /** "": one that follows from the uid. */
  readonly mac: string;
  readonly portSettings: PortSettings | undefined;
  /** Also when the host may be cut off. */
  readonly force: boolean;
  /** 0: it need not be confirmed. */
  readonly confirmWithinMs: number;
}

/** What is seen of a phy. */
export interface PhyView {
  readonly state: "ready" | "unplugged" | "broken" | "given back";
  /** For people; "": nothing is missing. */
  readonly reason: string;
  /** It is in its lan as far as we can do anything about it. */
  readonly isWhole: boolean;
  /** "": in no lan. */
  readonly mac: string;
  /** 0: in no lan. */
  readonly mtu: number;
  readonly port: string;
  /** Until when it has to be confirmed. */
  readonly confirmBy: Date | undefined;
}

/** The phys of a host, as their kind uses them. */
export interface PhyNetworks {
  /** @throws {ZorError} FAILED_PRECONDITION when the host cannot give its interface away. */
  examine(config: PhyConfig): Promise<void>;
  /** Takes an interface into a lan, or gives it back where that is none. Idempotent. @throws {ZorError} */
  ensure(config: PhyConfig): Promise<void>;
  /** Gives its interface back. Idempotent. Resolves to what the host does not take any more, for people. */
  remove(config: Pick<PhyConfig, "uid" | "name" | "device">): Promise<readonly string[]>;
  /** How it is. Costs a few system calls. */
  look(config: PhyConfig): PhyView;
  /** Whether something of it may be in the switch's namespace, or is to be given back. Costs a few system calls. */
  isHeld(config: Pick<PhyConfig, "uid">): boolean;
  /** Says that it stays. @throws {ZorError} FAILED_PRECONDITION */
  confirm(config: PhyConfig, validateOnly: boolean): Promise<void>;
  /** Looks whether it was, or has to be, given back by itself. Resolves to what is to be told of that now; "": nothing. */
  expire(config: PhyConfig): Promise<string>;
  /** Gives back what records tell of that nobody knows any more. Resolves to what was done, for people. */
  giveBackOrphans(known: ReadonlySet<string>): Promise<readonly string[]>;
}

/** When the agent does itself what the guardian should have done. */
const overdueMs = graceMs + 10_000;

/** The phys of a real host. */
export class Phys implements PhyNetworks {
  readonly #owner: PhyOwner;
  readonly #state: string;
  readonly #lans: Pick<Bridges, "plug" | "unplug" | "find">;
  readonly #wires: EndWires;
  readonly #own: () => Promise<OwnConnections>;
  readonly #records: PhyRecords;
  /** As last read or written, by uid. */
  readonly #known = new Map<string, PhyRecord>();
  /** What is in the lan, by uid. */
  readonly #links = new Map<string, Pick<Link, "address" | "mtu">>();

  /** @param options.own addresses of the agent's own that cannot be read off its connections. */
  constructor(options: {
    /** Net namespace of the switch. */
    readonly netns: string;
    readonly agentUid: string;
    readonly state: string;
    readonly lans: Pick<Bridges, "plug" | "unplug" | "find">;
    readonly wires: EndWires;
    readonly own: () => Promise<OwnConnections>;
  }) {
    const { netns, agentUid, state, lans, wires, own } = options;
    this.#wires = wires;
    this.#owner = { netns, agentUid };
    this.#state = state;
    this.#lans = lans;
    this.#own = own;
    this.#records = new PhyRecords(recordsDirectory(state));
  }

  async examine(config: PhyConfig): Promise<void> {
    const { name, mode } = config;
    const found = await this.#find(config);
    if (mode !== "absorb") return assertKernelHas(name, mode);
    this.#assertMovable(config, found);
    if (isTaken(config)) await this.#assertHarmless(config, found);
  }

  async ensure(config: PhyConfig): Promise<void> {
    const { uid, name, lan, mode, portSettings } = config;
    const record = await this.#load(uid);
    if (!isTaken(config)) return void (await this.remove(config));
    if (lan === "") this.#wires.leaveLan(name);
    else this.#wires.enterLan(name, lan);
    if (record !== undefined && record.rolledBack !== "") {
      const again = "take it out of its lan and put it in again, or delete it";
      throw failedPrecondition("PHY_GIVEN_BACK", name, `${name}: ${record.rolledBack}; ${again}`);
    }
    if (mode === "absorb") await this.#absorb(config, record);
    else await this.#stand({ ...config, mode });
    const port = toPhyPortName(uid);
    await this.#setMtu(port, config.mtu);
    // In a wire it has the state that the other end gives it.
    if (lan !== "") setUpQuietly(this.#owner.netns, port);
    const link = await findLink(port, { netns: this.#owner.netns });
    if (link !== undefined) this.#links.set(uid, link);
    if (lan !== "") await this.#lans.plug({ lan, port, endpoint: name, settings: portSettings });
    else await this.#joinWire(config, port);
  }

  /** A switch has its ports take frames for everybody; so does a wire. */
  async #joinWire({ name, mtu }: PhyConfig, port: string): Promise<void> {
    const { netns } = this.#owner;
    await this.#lans.unplug(port);
    await ip(["link", "set", "dev", port, "promisc", "on"], { netns });
    await this.#wires.appeared(name, {
      ...{ port, mtu, isVeth: true },
      hasCable: () => {
        const device = findDevice(netns, port);
        // One that was set down has no carrier because of that.
        return device === undefined || device.isRunning || !device.isUp;
      },
      setMtu: (bytes) => this.#setMtu(port, bytes),
    });
  }

  async remove({ uid, name, device }: Pick<PhyConfig, "uid" | "name" | "device">): Promise<readonly string[]> {
    const port = toPhyPortName(uid);
    await this.#wires.vanished(name);
    await this.#lans.unplug(port);
    const record = await this.#load(uid);
    const taken = await findTaken(this.#owner, uid);
    const { netns } = this.#owner;
    const isChild = record === undefined && ["vlan", "macvlan"].includes(taken?.link.linkinfo?.info_kind ?? "");
    if (isChild && taken?.isInside === true) await ip(["link", "delete", "dev", port], { netns });
    const { lost } = isChild ? { lost: [] } : await giveBack(this.#owner, { uid, name, device, facts: record?.facts });
    await this.#records.remove(uid);
    this.#known.delete(uid);
    this.#links.delete(uid);
    return lost;
  }

  look(config: PhyConfig): PhyView {
    const { uid, lan, device } = config;
    const port = toPhyPortName(uid);
    const record = this.#known.get(uid);
    const outside = { isWhole: true, mac: "", mtu: 0, port: "", confirmBy: undefined };
    if (!isTaken(config)) return { ...outside, state: "given back", reason: "" };
    if (record !== undefined && record.rolledBack !== "") {
      if (record.facts === undefined) return { ...outside, state: "given back", reason: record.rolledBack };
      return { ...outside, state: "broken", reason: `nobody confirmed it in time; ${device} is being given back` };
    }
    const { address: mac = "", mtu = 0 } = this.#links.get(uid) ?? {};
    const byMs = record?.confirmed === false ? record.confirmByMs : undefined;
    const confirmBy = byMs === undefined ? undefined : new Date(byMs);
    const view = { mac, mtu, port, confirmBy };
    const inside = findDevice(this.#owner.netns, port);
    if (inside === undefined) {
      const isThere = findDevice(undefined, device) !== undefined;
      const place = lan === "" ? "wire" : "lan";
      const reason = isThere ? `interface ${device} is not in the ${place}` : `interface ${device} is gone`;
      return { ...view, isWhole: false, state: isThere ? "broken" : "unplugged", reason };
    }
    if (lan !== "" && this.#lans.find(lan)?.ports.some((each) => each.port === port) !== true) {
      return { ...view, isWhole: false, state: "broken", reason: "its port in the lan is gone" };
    }
    if (inside.isRunning) return { ...view, isWhole: true, state: "ready", reason: "" };
    const isDark = lan === "" && !inside.isUp;
    const reason = isDark
      ? "the other end of its wire is away, and so it has no carrier"
      : `${device} has no carrier: no cable is in it, or nothing runs at the other end`;
    return { ...view, isWhole: true, state: "unplugged", reason };
  }

  isHeld({ uid }: Pick<PhyConfig, "uid">): boolean {
    return this.#known.has(uid) || findDevice(this.#owner.netns, toPhyPortName(uid)) !== undefined;
  }

  async confirm({ uid, name }: PhyConfig, validateOnly: boolean): Promise<void> {
    const record = await this.#load(uid);
    if (record?.confirmByMs === undefined) {
      throw failedPrecondition("NOTHING_TO_CONFIRM", name, `${name} has not to be confirmed`);
    }
    if (record.confirmed) return;
    if (record.rolledBack !== "" || Date.now() >= record.confirmByMs) {
      const message = `${name}: it is too late to confirm it: ${record.device} goes back to the host`;
      throw failedPrecondition("CONFIRMED_TOO_LATE", name, message);
    }
    if (!validateOnly) await this.#write({ ...record, confirmed: true });
  }

  async expire({ uid }: PhyConfig): Promise<string> {
    const before = this.#known.get(uid);
    if (before?.confirmByMs === undefined || before.confirmed || before.told) return "";
    const record = await this.#load(uid);
    if (record?.confirmByMs === undefined || record.confirmed) return "";
    const isOverdue = record.facts !== undefined && Date.now() > record.confirmByMs + overdueMs;
    const now = isOverdue ? await rollBack(this.#records, this.#owner, record) : record;
    this.#known.set(uid, now);
    if (now.rolledBack === "" || now.facts !== undefined || now.told) return "";
    await this.#wires.vanished(now.name);
    await this.#lans.unplug(toPhyPortName(uid));
    await this.#write({ ...now, told: true });
    return [now.rolledBack, ...toldLost(now.lost)].join("; ");
  }

  async giveBackOrphans(known: ReadonlySet<string>): Promise<readonly string[]> {
    const told: string[] = [];
    for (const uid of await this.#records.uids()) {
      const record = known.has(uid) ? undefined : await this.#load(uid);
      if (record === undefined) continue;
      const lost = await this.remove(record);
      told.push([`${record.name} is gone; ${record.device} was given back`, ...toldLost(lost)].join("; "));
    }
    return told;
  }

  /** The interface itself goes where the switch is; what it was is on disk before. */
  async #absorb(config: PhyConfig, record: PhyRecord | undefined): Promise<void> {
    const { uid, device } = config;
    const taken = await findTaken(this.#owner, uid);
    if (taken?.isInside === true) return;
    if (taken === undefined) await this.#take(config, record);
    const move = ["link", "set", "dev", taken?.link.ifname ?? device];
    await ip([...move, "netns", this.#owner.netns, "name", toPhyPortName(uid)], {});
  }

  /** Writes down how an interface is, and marks it. */
  async #take(config: PhyConfig, before: PhyRecord | undefined): Promise<void> {
    const { uid, name, device, confirmWithinMs } = config;
    const found = await this.#find(config);
    this.#assertMovable(config, found);
    const confirmed = before?.confirmed ?? false;
    // What somebody has confirmed once is done again after the host was started anew.
    if (!confirmed) await this.#assertHarmless(config, found);
    if (before?.confirmByMs !== undefined && !confirmed) {
      await this.#write(await rollBack(this.#records, this.#owner, before));
      throw failedPrecondition("PHY_GIVEN_BACK", name, `${name}: nobody confirmed it in time`);
    }
    const { facts } = found;
    const record = { uid, name, device, facts, confirmed, rolledBack: "", lost: [], told: false };
    const isWaited = confirmWithinMs > 0 && !confirmed;
    const confirmByMs = isWaited ? Date.now() + confirmWithinMs : before?.confirmByMs;
    await this.#write({ ...record, confirmByMs });
    if (isWaited) await startGuardian({ ...this.#owner, state: this.#state, uid }, name);
    await ip(["link", "set", "dev", device, "alias", phyTag(this.#owner.agentUid, uid)], {});
  }

  /** Something that stands on the interface goes where the switch is. */
  async #stand(config: PhyConfig & { readonly mode: Exclude<PhyWay, "absorb"> }): Promise<void> {
    const { uid, name, device, mode, vlanId } = config;
    const { netns, agentUid } = this.#owner;
    const port = toPhyPortName(uid);
    if ((await findTaken(this.#owner, uid))?.isInside === true) return;
    await this.#find(config);
    // One that an agent which was ended has made and not marked.
    if (findDevice(netns, port) !== undefined) await ip(["link", "delete", "dev", port], { netns });
    const mac = config.mac === "" ? toPhyMac(uid) : config.mac;
    await makeChild({ name, device, mode, vlanId, mac, port, netns, tag: phyTag(agentUid, uid) });
  }

  async #find({ name, device }: PhyConfig): Promise<FoundDevice> {
    const found = await readDevice(device);
    if (found !== undefined) return found;
    const message = `${name}: the host has no interface ${device}; list them with: ip link`;
    throw failedPrecondition("DEVICE_MISSING", name, message);
  }

  #assertMovable({ name, device }: PhyConfig, { facts, others }: FoundDevice): void {
    const why = whyNotTaken(facts, others);
    if (why !== undefined) throw failedPrecondition("DEVICE_IN_USE", name, `${name}: ${device} ${why}`);
  }

  /** Refuses what may cut the host off. */
  async #assertHarmless({ name, device, force }: PhyConfig, { facts }: FoundDevice): Promise<void> {
    if (force) return;
    const [own, told] = [readOwnConnections(), await this.#own()];
    const all = { local: [...own.local, ...told.local], remote: [...own.remote, ...told.remote] };
    const dangers = dangersOf({ device, facts, own: all, ways: await readWays(all.remote) });
    if (dangers.length === 0) return;
    const remedy = "take another one, or force it with a time to confirm it in: --force --confirm-within 30s";
    throw failedPrecondition("DEVICE_GUARDED", name, `${name}: ${device} ${dangers.join(", and ")}; ${remedy}`);
  }

  /** As large as the lan and what it carries in front of full packets; not every network card is. */
  async #setMtu(port: string, mtu: number): Promise<void> {
    const where = { netns: this.#owner.netns };
    const set = (bytes: number): Promise<void> => ip(["link", "set", "dev", port, "mtu", String(bytes)], where);
    await set(mtu + tagHeadroomBytes)
      .catch(() => set(mtu))
      .catch(() => undefined);
  }

  async #load(uid: string): Promise<PhyRecord | undefined> {
    const record = await this.#records.find(uid);
    if (record === undefined) this.#known.delete(uid);
    else this.#known.set(uid, record);
    return record;
  }

  async #write(record: PhyRecord): Promise<void> {
    await this.#records.write(record);
    this.#known.set(record.uid, record);
  }
}

function isTaken({ lan, isWired }: Pick<PhyConfig, "lan" | "isWired">): boolean {
  return lan !== "" || isWired;
}

function toldLost(lost: readonly string[]): readonly string[] {
  return lost.length === 0 ? [] : [`the host did not take: ${lost.join(", ")}`];
}
