import type { InstanceNetworks, NetworkOwner } from "../../agent/network/instance-networks.js";
import type { JoinNetworks } from "../../agent/network/joins/joins.js";
import type { BridgeSettings } from "../../agent/network/lans/bridge-settings.js";
import type { PortChange } from "../../agent/network/lans/port-faults.js";
import type { NatHosts } from "../../agent/network/nat/nat-config.js";
import type { NatNetworks } from "../../agent/network/nat/nats.js";
import type { PhyNetworks } from "../../agent/network/phys/phys.js";
import type { TapNetworks } from "../../agent/network/taps/taps.js";
import type { VtepNetworks } from "../../agent/network/vteps/vteps.js";
import { Wires } from "../../agent/network/wires/wires.js";
import type { NetworkPart } from "../../agent/parts.js";
import { failedPrecondition, notFound } from "../../lib/errors.js";
import { createLog } from "../../lib/log.js";
import { FakeForwarder } from "./forwarder.js";

/** A lan as a fake switch has it. */
interface FakeLan {
  readonly uid: string;
  readonly plugged: Map<string, string>;
  /** What it was made or set with last. */
  readonly settings?: BridgeSettings | undefined;
}

/** The network of a fake host: interfaces and lans in memory. They outlive the agent, as on a real host. */
export class FakeHostNetwork {
  readonly lans = new Map<string, FakeLan>();
  /** Who is who in the lans of nats, by the nats' uids. */
  readonly nats = new Map<string, NatHosts>();
  /** Uids of taps that were made. */
  readonly taps = new Set<string>();
  /** Uids of phys that were taken. */
  readonly phys = new Set<string>();
  /** Uids of ports in bridges of the host, and of vteps, that were made. */
  readonly joined = new Set<string>();
  /** Uids of instances whose interfaces exist. */
  readonly prepared = new Set<string>();
  /** Makes the next preparation fail. */
  failNextPrepare: unknown;
  /** Makes the next plugging fail. */
  failNextPlug: unknown;
  /** Makes the next making of a lan fail. */
  failNextEnsure: unknown;

  /** Tells who asked for it that a port changed. */
  tellPortChange: (change: PortChange) => void = () => undefined;

  /** What an agent is given. */
  toPart(): NetworkPart {
    return {
      lans: {
        ensureLan: async ({ id, uid, settings }) => {
          const failure = this.failNextEnsure;
          this.failNextEnsure = undefined;
          if (failure !== undefined) throw failure;
          const plugged = this.lans.get(id)?.uid === uid ? this.lans.get(id)?.plugged : undefined;
          this.lans.set(id, { uid, plugged: plugged ?? new Map(), settings });
        },
        deleteLan: async (id) => {
          this.lans.delete(id);
        },
        list: () => [...this.lans.keys()].map((id) => this.#observe(id)),
        find: (id) => (this.lans.has(id) ? this.#observe(id) : undefined),
      },
      wires: new Wires({
        forwarder: new FakeForwarder(),
        setCarrier: async () => undefined,
        log: createLog("test", { write: () => undefined }),
      }),
      nats: this.#nats(),
      taps: this.#taps(),
      phys: this.#phys(),
      joins: this.#joins(),
      vteps: this.#vteps(),
      createInstanceNetworks: () => this.createInstanceNetworks(),
      onChange: () => () => undefined,
      onPortChange: (listener) => {
        this.tellPortChange = listener;
        return () => undefined;
      },
      close: async () => undefined,
    };
  }

  /** Taps that are always whole. */
  #taps(): TapNetworks {
    return {
      ensure: async ({ uid }) => void this.taps.add(uid),
      remove: async ({ uid }) => void this.taps.delete(uid),
      missing: ({ uid }) => (this.taps.has(uid) ? "" : "it is gone"),
      examine: async () => undefined,
    };
  }

  /** Phys that are always whole. */
  #phys(): PhyNetworks {
    return {
      ensure: async ({ uid }) => void this.phys.add(uid),
      remove: async ({ uid }) => {
        this.phys.delete(uid);
        return [];
      },
      isHeld: () => false,
      look: ({ uid, lan, isWired }) => {
        const state = lan === "" && !isWired ? "given back" : this.phys.has(uid) ? "ready" : "broken";
        return { state, reason: "", isWhole: true, mac: "", mtu: 1564, port: "port", confirmBy: undefined };
      },
      examine: async () => undefined,
      confirm: async ({ name }) => {
        throw failedPrecondition("NOTHING_TO_CONFIRM", name, `${name} has not to be confirmed`);
      },
      expire: async () => "",
      giveBackOrphans: async () => [],
    };
  }

  /** Ports in bridges that are always there. */
  #joins(): JoinNetworks {
    return {
      examine: async () => undefined,
      ensure: async ({ uid }) => void this.joined.add(uid),
      remove: async ({ uid }) => void this.joined.delete(uid),
      missing: async ({ uid }) => (this.joined.has(uid) ? "" : "it is gone"),
      facts: () => ({ type: "linux", mtu: 1500, port: "port", device: "device" }),
    };
  }

  /** Vteps that are always whole, and hear nothing. */
  #vteps(): VtepNetworks {
    return {
      ensure: async ({ uid }) => void this.joined.add(uid),
      remove: async ({ uid }) => void this.joined.delete(uid),
      look: async () => undefined,
      missing: ({ uid }) => (this.joined.has(uid) ? "" : "it is gone"),
      facts: () => ({ port: "port", route: { fault: "", maxPacket: 1450 }, device: undefined, heard: undefined }),
    };
  }

  /** Ways out that are always whole. */
  #nats(): NatNetworks {
    return {
      ensure: async ({ uid, hosts }) => void this.nats.set(uid, hosts),
      remove: async (uid) => void this.nats.delete(uid),
      setHosts: async (uid, hosts) => void this.nats.set(uid, hosts),
      find: (uid) => (this.nats.has(uid) ? { fault: "", note: "", leases: [] } : undefined),
      assertFree: async () => undefined,
      heal: async () => undefined,
      follow: () => undefined,
      close: async () => undefined,
    };
  }

  /** The interfaces of instances alone. */
  createInstanceNetworks(): InstanceNetworks {
    const portOf = (owner: NetworkOwner, nic: string): string => `${owner.name}/nics/${nic}`;
    const plug = (owner: NetworkOwner, nic: { readonly name: string; readonly lan: string }): void => {
      const lan = this.lans.get(nic.lan);
      if (lan === undefined) throw notFound(`lans/${nic.lan}`);
      lan.plugged.set(portOf(owner, nic.name), owner.uid);
    };
    const unplug = (owner: NetworkOwner, nic: string): void => {
      for (const lan of this.lans.values()) lan.plugged.delete(portOf(owner, nic));
    };
    return {
      prepare: async (owner) => {
        const failure = this.failNextPrepare;
        this.failNextPrepare = undefined;
        if (failure !== undefined) throw failure;
        for (const nic of owner.nics) if (nic.lan !== "") plug(owner, nic);
        this.prepared.add(owner.uid);
        const nics = owner.nics.map(({ name, mac, addresses }) => ({
          nic: name,
          mac,
          mtu: 1500,
          addresses,
          port: `port-${name}`,
        }));
        return { netns: "fake", nics };
      },
      release: async (owner) => {
        for (const nic of owner.nics) unplug(owner, nic.name);
        this.prepared.delete(owner.uid);
      },
      plug: async (owner, nic) => {
        const failure = this.failNextPlug;
        this.failNextPlug = undefined;
        if (failure !== undefined) throw failure;
        plug(owner, nic);
      },
      unplug: async (owner, nic) => unplug(owner, nic.name),
      drop: async (owner, nic) => unplug(owner, nic.name),
      collectGarbage: async (owners) => {
        const uids = new Set(owners.map(({ uid }) => uid));
        const garbage = [...this.prepared].filter((uid) => !uids.has(uid));
        for (const uid of garbage) this.prepared.delete(uid);
        return garbage;
      },
    };
  }

  #observe(id: string) {
    const { uid, plugged } = this.lans.get(id) ?? { uid: "", plugged: new Map<string, string>() };
    const zero = {
      rxFrames: 0n,
      rxBytes: 0n,
      txFrames: 0n,
      txBytes: 0n,
      droppedFrames: 0n,
      error: "",
      settings: undefined,
    };
    const ports = [...plugged.keys()].map((endpoint) => ({ endpoint, port: "port", ...zero }));
    return { id, uid, datapath: "netdev" as const, ports, fault: "", reason: "" };
  }
}
