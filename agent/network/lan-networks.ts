import { uninterrupted } from "../../lib/uninterrupted.js";
import type { Nic } from "../../proto/gen/zor/v1/instance.js";
import type { Bridges } from "./bridges.js";
import type { NicFilter, NicFilters } from "./filters/nic-filters.js";
import type { HeardPart } from "./heard/heard-addresses.js";
import type { CallOptions, InstanceNetwork, InstanceNetworks, NetworkOwner, NicPort } from "./instance-networks.js";
import { bondMembers } from "./lans/bond-check.js";
import type { PlugOptions } from "./lans/plug.js";
import { toBondName, toContainerNetns, toHostDeviceName, toPortName } from "./names.js";
import type { Ports } from "./ports.js";
import type { Wires } from "./wires/wires.js";

/** What this needs of the desired lans. */
export interface LanSource {
  /** In bytes; undefined when there is no such lan. */
  findMtu(id: string): number | undefined;
}

/** Most interfaces of an instance. */
const maxNics = 32;
/** MTU in bytes of an interface that is in no lan. */
const defaultMtu = 1500;

/** The interfaces of instances as taps and veth pairs, plugged into lans. */
export class LanNetworks implements InstanceNetworks {
  readonly #netns: string;
  readonly #ports: Ports;
  readonly #lans: Bridges;
  readonly #source: LanSource;
  /** Which NICs are in wires. */
  readonly wires: Wires | undefined;
  readonly heard: HeardPart | undefined;
  readonly filters: NicFilters | undefined;

  /** @param options.netns net namespace of the switch. */
  constructor(options: {
    readonly netns: string;
    readonly ports: Ports;
    readonly lans: Bridges;
    readonly source: LanSource;
    readonly wires?: Wires | undefined;
    readonly heard?: HeardPart | undefined;
    readonly filters?: NicFilters | undefined;
  }) {
    this.#netns = options.netns;
    this.#ports = options.ports;
    this.#lans = options.lans;
    this.#source = options.source;
    this.wires = options.wires;
    this.heard = options.heard;
    this.filters = options.filters;
  }

  async prepare(owner: NetworkOwner, options: CallOptions): Promise<InstanceNetwork> {
    // A runtime with a network of its own has no NICs: creation refuses them.
    if (owner.model === "own") return { netns: "", nics: [] };
    await using undo = new AsyncDisposableStack();
    const netns = await this.#ensureNetns(owner, options);
    const nics: NicPort[] = [];
    for (const [nicIndex, nic] of owner.nics.entries()) {
      const name = toPortName(owner.uid, nicIndex);
      const isNew = !this.#ports.has(name);
      const endpoint = endpointOf(owner, nic);
      if (isNew) undo.defer(() => this.#removePort(name, endpoint, { signal: uninterrupted }));
      if (nic.lan !== "") this.wires?.enterLan(endpoint, nic.lan);
      const port = await this.#ensure(owner, nic, { nicIndex, signal: options.signal });
      nics.push(port);
      await this.wires?.appeared(endpoint, { port: port.port, mtu: port.mtu, isVeth: owner.model !== "tap" });
      if (nic.lan === "") continue;
      if (isNew) undo.defer(() => this.#pullOut(name, endpoint));
      await this.#plugIn(owner, nic, port.port);
    }
    undo.move();
    return { netns, nics, udpSuperFrames: this.#ports.udpSuperFrames };
  }

  findLost({ model, uid, nics }: NetworkOwner): readonly string[] {
    if (model === "own" || !this.#ports.canSee) return [];
    return nics
      .filter((_, index) => !this.#ports.isHeld(toPortName(uid, index), model === "tap"))
      .map(({ name }) => name);
  }

  async keepFilters({ nics }: InstanceNetwork, options: CallOptions): Promise<readonly string[]> {
    const mended: string[] = [];
    for (const { nic, port, mtu } of nics) if (await this.#ports.keepFilters(port, mtu, options)) mended.push(nic);
    return mended;
  }

  async release(owner: NetworkOwner, options: CallOptions): Promise<void> {
    for (let nicIndex = 0; nicIndex < Math.max(maxNics, owner.nics.length); nicIndex += 1) {
      const port = toPortName(owner.uid, nicIndex);
      // One beyond them is of a change that was never written down.
      if (nicIndex >= owner.nics.length && !this.#ports.has(port)) continue;
      const nic = owner.nics[nicIndex];
      await this.#pullOut(port, nic === undefined ? "" : endpointOf(owner, nic));
      await this.#removePort(port, nic === undefined ? "" : endpointOf(owner, nic), options);
    }
    if (owner.model === "join") await this.#ports.removeContainerNetns(owner.uid, options);
  }

  async plug(owner: NetworkOwner, nic: Nic, options: CallOptions): Promise<void> {
    const port = portOf(owner, nic);
    const endpoint = endpointOf(owner, nic);
    const isNew = this.wires?.enterLan(endpoint, nic.lan) === true;
    try {
      await this.#plugIn(owner, nic, port);
    } catch (error) {
      if (isNew) this.wires?.leaveLan(endpoint);
      throw error;
    }
    if (owner.model !== "tap") await this.#ports.setCarrier(port, true, options);
  }

  async unplug(owner: NetworkOwner, nic: Nic, options: CallOptions): Promise<void> {
    const port = portOf(owner, nic);
    await this.#pullOut(port, endpointOf(owner, nic));
    this.wires?.leaveLan(endpointOf(owner, nic));
    if (owner.model !== "tap") await this.#ports.setCarrier(port, false, options);
  }

  async drop(owner: NetworkOwner, nic: Nic, options: CallOptions): Promise<void> {
    const port = portOf(owner, nic);
    await this.#pullOut(port, endpointOf(owner, nic));
    await this.#removePort(port, endpointOf(owner, nic), options);
  }

  async settle(): Promise<void> {
    await this.wires?.settle();
  }

  async collectGarbage(owners: readonly NetworkOwner[], options: CallOptions): Promise<readonly string[]> {
    const uids = new Set(owners.map(({ uid }) => uid));
    const netns = new Set(owners.map(({ uid }) => toContainerNetns(this.#netns, uid)));
    const owned = await this.#ports.listOwned(options);
    const ports = owned.ports.filter(({ instanceUid }) => !uids.has(instanceUid)).map(({ port }) => port);
    for (const port of ports) {
      await this.#lans.unplug(port);
      await this.#ports.removePort(port, options);
    }
    const namespaces = owned.netns.filter((name) => !netns.has(name));
    for (const name of namespaces) await this.#ports.removeNetnsNamed(name, options);
    return [...ports, ...namespaces];
  }

  /** Into its lan, with what that does with its frames. */
  async #plugIn(owner: NetworkOwner, nic: Nic, port: string): Promise<void> {
    const { lan, portSettings: settings } = nic;
    const endpoint = endpointOf(owner, nic);
    const plug = (): Promise<void> => this.#lans.plug({ lan, port, endpoint, settings, ...bondOf(owner, nic) });
    if (this.filters === undefined) await plug();
    else await this.filters.plugging(endpoint, filterOf(nic, endpoint), plug);
  }

  async #pullOut(port: string, endpoint: string): Promise<void> {
    await this.#lans.unplug(port);
    await this.filters?.set(endpoint, undefined);
  }

  /** The other end of its wire loses carrier first: what is gone needs no time to be noticed. */
  async #removePort(port: string, endpoint: string, options: CallOptions): Promise<void> {
    await this.wires?.vanished(endpoint);
    await this.#ports.removePort(port, options);
  }

  /** A container without any NIC still lives in a namespace of its own. */
  async #ensureNetns({ model, uid }: NetworkOwner, options: CallOptions): Promise<string> {
    if (model === "join") return await this.#ports.ensureContainerNetns(uid, options);
    return model === "host" ? "" : this.#netns;
  }

  async #ensure(owner: NetworkOwner, nic: Nic, options: CallOptions & { readonly nicIndex: number }): Promise<NicPort> {
    const endpoint = endpointOf(owner, nic);
    const mtu = this.#source.findMtu(nic.lan) ?? this.wires?.mtuOf(endpoint) ?? defaultMtu;
    const { name, mac, addresses } = nic;
    const queues = Math.max(1, nic.queues);
    const carrier = nic.lan !== "" ? true : this.wires === undefined ? false : this.wires.carrierOf(endpoint);
    const plugged = carrier ?? true;
    const common = { instanceUid: owner.uid, nicIndex: options.nicIndex, mtu };
    const made = { nic: name, mac, mtu, addresses, plugged, queues };
    if (owner.model === "tap") return { ...made, port: await this.#ports.ensureTap({ ...common, queues }, options) };
    const device = owner.model === "host" ? toHostDeviceName(owner.uid, options.nicIndex) : undefined;
    const veth = { ...common, nic: name, mac, addresses, plugged, device, keepCarrier: carrier === undefined };
    const port = await this.#ports.ensureVeth(veth, options);
    return { ...made, port, ...(device === undefined ? {} : { device }) };
  }
}

/** The bond of an interface, and the addresses that are its own: in a bond, those of all its interfaces. */
function bondOf(owner: NetworkOwner, nic: Nic): Pick<PlugOptions, "bond" | "own"> {
  const { bond } = nic.portSettings ?? {};
  if (bond === undefined) return { own: nic };
  const others = bondMembers(owner.nics, bond.name).filter(({ name, lan }) => name !== nic.name && lan === nic.lan);
  const primary = owner.nics.find(({ name }) => name === bond.primary);
  return {
    bond: {
      port: toBondName(owner.uid, nic.lan, bond.name),
      primary: primary === undefined ? "" : portOf(owner, primary),
    },
    own: {
      mac: nic.mac,
      bonded: others.map(({ mac }) => mac),
      addresses: [nic, ...others].flatMap(({ addresses }) => addresses),
    },
  };
}

function portOf(owner: NetworkOwner, nic: Nic): string {
  return toPortName(
    owner.uid,
    owner.nics.findIndex(({ name }) => name === nic.name),
  );
}

function endpointOf(owner: NetworkOwner, nic: Nic): string {
  return `${owner.name}/nics/${nic.name}`;
}

function filterOf({ lan, mac, addresses, portSettings }: Nic, endpoint: string): NicFilter | undefined {
  const filter = portSettings?.filter;
  return filter === undefined ? undefined : { lan, endpoint, mac, addresses, filter };
}
