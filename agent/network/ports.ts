import { failedPrecondition } from "../../lib/errors.js";
import { SystemCallError } from "../../lib/libc.js";
import { findDevice } from "../../lib/net/device.js";
import { setUpQuietly } from "../../lib/net/quiet-device.js";
import { visitNetns } from "../../lib/net/visit-netns.js";
import { run } from "../host/exec.js";
import { tagHeadroomBytes } from "./bridge-operations.js";
import { ensureFinisher, finishChecksums } from "./checksums.js";
import {
  findLink,
  type IpOptions,
  ip,
  ipBatch,
  type Link,
  listLinks,
  parseCidr,
  parseInterfaceName,
  parseMac,
} from "./ip.js";
import { toContainerNetns, toPortName } from "./names.js";
import { ensureNetns, listOwnedNetns, removeNetns } from "./netns.js";
import type { Datapath } from "./ovs/detect-datapath.js";
import { countFilters } from "./segments/classifier.js";
import type { SegmentSizes } from "./segments/segment-sizes.js";

/** Counting the filters of a port costs a quarter of a millisecond, and there may be thousands. */
const lookMs = 15_000;

/** Which interface of which instance. */
export interface PortOwner {
  readonly instanceUid: string;
  /** Position in the instance's spec, from 0. */
  readonly nicIndex: number;
}

/** A tap for a machine. */
export interface TapOptions extends PortOwner {
  /** In bytes. */
  readonly mtu: number;
  /** User id that may open the tap without privileges; default root. */
  readonly ownerUserId?: number;
  /** Queues; default 1. */
  readonly queues?: number;
}

/** A veth pair for a container. */
export interface VethOptions extends PortOwner {
  /** Name inside the container. */
  readonly nic: string;
  readonly mac: string;
  /** In bytes. */
  readonly mtu: number;
  /** Addresses with prefix length. */
  readonly addresses: readonly string[];
  /** It is in a lan, or about to be: the container's side has carrier. Default: yes. */
  readonly plugged?: boolean;
  /** The carrier of a pair that is there stays as it is. */
  readonly keepCarrier?: boolean;
  /** Name of the other side in the agent's own namespace, where it stays, without addresses; default: it goes to the container's. */
  readonly device?: string | undefined;
}

/** Something of ours on the host, and the instance it is for. */
export interface OwnedPort {
  readonly port: string;
  readonly instanceUid: string;
}

/** What this agent has made on the host for instances. */
export interface OwnedInterfaces {
  /** Taps and switch sides of veth pairs. */
  readonly ports: readonly OwnedPort[];
  /** Net namespaces of containers. */
  readonly netns: readonly string[];
}

/** Options of every call. */
interface Call {
  readonly signal?: AbortSignal | undefined;
}

/** The interfaces of instances in the switch's namespace, tagged with an alias that names the agent and the instance. */
export class Ports {
  readonly #netns: string;
  readonly #agentUid: string;
  readonly #datapath: Datapath;
  readonly #onUnfinished: (error: unknown) => void;
  readonly #segments: Pick<SegmentSizes, "attach"> | undefined;
  /** How many filters ports were given for the frames to their guests, and when they were counted last, by performance.now(). */
  readonly #filters = new Map<string, { readonly count: number; readonly lookedMs: number }>();
  /** Made once for all ports; false: this kernel cannot. */
  #finisher: Promise<boolean> | undefined;

  /**
   * @param options.datapath of the switch; default: the kernel's.
   * @param options.onUnfinished told once when this kernel cannot finish checksums that guests leave to their peers; default: nobody is.
   * @param options.segments of the same switch; default: it keeps sizes of segments itself.
   */
  constructor(options: {
    readonly netns: string;
    readonly agentUid: string;
    readonly datapath?: Datapath;
    readonly onUnfinished?: (error: unknown) => void;
    readonly segments?: Pick<SegmentSizes, "attach"> | undefined;
  }) {
    this.#segments = options.segments;
    this.#onUnfinished = options.onUnfinished ?? (() => undefined);
    this.#netns = options.netns;
    this.#agentUid = options.agentUid;
    this.#datapath = options.datapath ?? "system";
  }

  /** The switch takes UDP super-frames; Open vSwitch's userspace datapath loses them. */
  get udpSuperFrames(): boolean {
    return this.#datapath === "system";
  }

  /** Whether there is an interface of this name on the switch's side, whoever's it is. Never waits. */
  has(port: string): boolean {
    return findDevice(this.#netns, port) !== undefined;
  }

  /** Whether the switch's namespace can be looked into. */
  get canSee(): boolean {
    return this.has("lo");
  }

  /** Whether an interface is there and, of a tap, somebody has it open. Never waits. */
  isHeld(port: string, isTap: boolean): boolean {
    const found = findDevice(this.#netns, port);
    return found !== undefined && (!isTap || found.isRunning || !found.isUp);
  }

  /** Gives a port the filters again that somebody took away; resolves to whether that was so. Looks no more often than each 15 s. */
  async keepFilters(port: string, mtu: number, { signal }: Call = {}): Promise<boolean> {
    const { count, lookedMs } = this.#filters.get(port) ?? { count: 0, lookedMs: 0 };
    const nowMs = performance.now();
    if (count === 0 || nowMs - lookedMs < lookMs) return false;
    this.#filters.set(port, { count, lookedMs: nowMs });
    if (!this.has(port) || this.#countFilters(port) >= count) return false;
    await this.#finishChecksums(port, mtu, signal);
    return this.#countFilters(port) >= count;
  }

  /**
   * Makes a persistent tap with a virtio-net header in the switch's namespace and resolves to its name. Idempotent: one that is
   * there stays, and is kept out of the guests' network; one of another kind of queues, which no machine can have open, is made anew.
   */
  async ensureTap(options: TapOptions, { signal }: Call = {}): Promise<string> {
    const port = toPortName(options.instanceUid, options.nicIndex);
    const where = { netns: this.#netns, signal };
    const existing = this.has(port) ? await findLink(port, where) : undefined;
    const isMultiQueue = (options.queues ?? 1) > 1;
    const { info_kind: kind, info_data: data } = existing?.linkinfo ?? {};
    const isAsWanted = kind === "tun" && (data?.multi_queue ?? false) === isMultiQueue;
    if (existing !== undefined && this.#isOwned(existing) && isAsWanted) {
      await this.#dropAddresses(existing, signal);
      // An agent may have been killed before it did.
      setUpQuietly(this.#netns, port);
      await this.#finishChecksums(port, options.mtu, signal);
      return port;
    }
    if (existing !== undefined) await ip(["link", "delete", "dev", port], where);
    const user = options.ownerUserId === undefined ? [] : ["user", String(options.ownerUserId)];
    const add = [
      "tuntap",
      "add",
      "dev",
      port,
      "mode",
      "tap",
      "vnet_hdr",
      ...(isMultiQueue ? ["multi_queue"] : []),
      ...user,
    ];
    await ipBatch([add, ...this.#finish(port, options)], where);
    setUpQuietly(this.#netns, port);
    await this.#finishChecksums(port, options.mtu, signal);
    return port;
  }

  /** Makes the namespace of a container and resolves to its name. Idempotent. */
  async ensureContainerNetns(instanceUid: string, { signal }: Call = {}): Promise<string> {
    const name = toContainerNetns(this.#netns, instanceUid);
    await ensureNetns(name, { agentUid: this.#agentUid, signal });
    return name;
  }

  /**
   * Makes a veth pair between the switch's and the container's namespace, or the agent's own, configures the container's side and resolves to the
   * name of the switch's. Idempotent: a pair that is there stays, and traffic with it; missing addresses are added, and offloads that
   * the switch cannot take are switched off.
   * @throws {ZorError} INVALID_ARGUMENT
   */
  async ensureVeth(options: VethOptions, { signal }: Call = {}): Promise<string> {
    const { device } = options;
    const nic = device ?? parseInterfaceName("nic.name", options.nic);
    const mac = parseMac("nic.mac", options.mac);
    const addresses = options.addresses.map((address) => parseCidr("nic.addresses", address));
    const port = toPortName(options.instanceUid, options.nicIndex);
    const container =
      device === undefined ? await this.ensureContainerNetns(options.instanceUid, { signal }) : undefined;
    const [outside, inside] = await Promise.all([
      findLink(port, { netns: this.#netns, signal }),
      findLink(nic, { netns: container, signal }),
    ]);
    const isThere = outside !== undefined && inside !== undefined && inside.link_index === outside.ifindex;
    if (!isThere) {
      await this.#addVeth({ port, container, nic, mac, owner: options, outside, inside, signal });
    } else await this.#dropAddresses(outside, signal);
    if (!this.udpSuperFrames) await dropUdpSegmentation(nic, { netns: container, signal });
    await this.#finishChecksums(port, options.mtu, signal);
    const keepsCarrier = isThere && options.keepCarrier === true;
    if (!keepsCarrier) await this.setCarrier(port, options.plugged ?? true, { signal });
    if (device !== undefined) {
      await ip(["link", "set", "dev", device, "alias", this.#tagOf(options)], { signal });
      setUpQuietly(undefined, device);
      return port;
    }
    // An address that is there already is left alone by "replace".
    await ipBatch(
      [
        ["link", "set", "dev", nic, "up"],
        ...addresses.map((address) => ["address", "replace", address, "dev", nic, ...noDad(address)]),
      ],
      { netns: container, signal },
    );
    return port;
  }

  /** Gives a container's interface carrier or takes it: it follows the state of the switch's side. Idempotent. */
  async setCarrier(port: string, up: boolean, { signal }: Call = {}): Promise<void> {
    if (up) setUpQuietly(this.#netns, port);
    else await ip(["link", "set", "dev", port, "down"], { netns: this.#netns, signal });
  }

  /** Removes a tap or veth pair that we made; leaves any other. Idempotent. */
  async removePort(port: string, { signal }: Call = {}): Promise<void> {
    const where = { netns: this.#netns, signal };
    this.#filters.delete(port);
    if (!this.has(port)) return;
    const link = await findLink(port, where);
    if (link !== undefined && this.#isOwned(link)) await ip(["link", "delete", "dev", port], where);
  }

  /** Removes the namespace of a container. Idempotent. */
  async removeContainerNetns(instanceUid: string, call: Call = {}): Promise<void> {
    await this.removeNetnsNamed(toContainerNetns(this.#netns, instanceUid), call);
  }

  /** Like {@link removeContainerNetns}, by name, for leftovers. */
  async removeNetnsNamed(name: string, { signal }: Call = {}): Promise<void> {
    await removeNetns(name, { agentUid: this.#agentUid, signal });
  }

  /** Everything on the host that carries our tag. */
  async listOwned({ signal }: Call = {}): Promise<OwnedInterfaces> {
    const links = await listLinks({ netns: this.#netns, signal });
    const ports = links.flatMap((link) => {
      const instanceUid = this.#instanceOf(link);
      return instanceUid === undefined ? [] : [{ port: link.ifname, instanceUid }];
    });
    return { ports, netns: await listOwnedNetns(`${this.#netns}.`, { agentUid: this.#agentUid, signal }) };
  }

  async #addVeth(options: {
    readonly port: string;
    /** Undefined: the agent's own namespace. */
    readonly container: string | undefined;
    readonly nic: string;
    readonly mac: string;
    readonly owner: PortOwner & { readonly mtu: number };
    readonly outside: Link | undefined;
    readonly inside: Link | undefined;
    readonly signal: AbortSignal | undefined;
  }): Promise<void> {
    const { port, container, nic, signal } = options;
    if (options.outside !== undefined) await ip(["link", "delete", "dev", port], { netns: this.#netns, signal });
    // Deleting one side deletes the other; a side that is still there had another peer.
    const left = options.inside === undefined ? undefined : await findLink(nic, { netns: container, signal });
    if (left !== undefined && container === undefined && !this.#isOwned(left))
      throw failedPrecondition(
        "DEVICE_TAKEN",
        nic,
        `the host has a device ${nic} that this agent did not make; remove it`,
      );
    if (left !== undefined) await ip(["link", "delete", "dev", nic], { netns: container, signal });
    const peer = [
      "peer",
      "name",
      nic,
      "address",
      options.mac,
      "mtu",
      String(options.owner.mtu),
      "netns",
      container ?? String(process.pid),
    ];
    const add = ["link", "add", "name", port, "type", "veth", ...peer];
    await ipBatch([add, ...this.#finish(port, options.owner)], { netns: this.#netns, signal });
  }

  /** A port of ours that is there already: somebody may have given it addresses. */
  async #dropAddresses({ ifname, addr_info: addresses = [] }: Link, signal: AbortSignal | undefined): Promise<void> {
    if (addresses.length > 0) await ip(["address", "flush", "dev", ifname], { netns: this.#netns, signal });
  }

  /**
   * What tags a new port, in one go with making it: an agent that is killed in between would leave one that nobody's tag is on. It
   * carries tags in front of the guest's full packets, and has no address of its own: the switch's side must not speak into the lan.
   */
  #finish(port: string, owner: PortOwner & { readonly mtu: number }): readonly (readonly string[])[] {
    const set = ["link", "set", "dev", port];
    return [
      [...set, "alias", this.#tagOf(owner)],
      [...set, "addrgenmode", "none"],
      [...set, "mtu", String(owner.mtu + tagHeadroomBytes)],
    ];
  }

  #tagOf({ instanceUid }: PortOwner): string {
    return `zor-agent=${this.#agentUid} zor-instance=${instanceUid}`;
  }

  /** Instances work without: most readers know what they read. */
  async #finishChecksums(port: string, mtu: number, signal: AbortSignal | undefined): Promise<void> {
    const netns = this.#netns;
    const unfinished = (error: unknown): boolean => {
      signal?.throwIfAborted();
      this.#onUnfinished(error);
      return false;
    };
    this.#finisher ??= ensureFinisher({ netns }).then(() => true, unfinished);
    if (!(await this.#finisher)) return;
    await finishChecksums(port, { netns, signal, mtu }).catch((error: unknown) => {
      this.#finisher = Promise.resolve(unfinished(error));
    });
    // What was at the port's way out is gone.
    this.#segments?.attach(port);
    this.#filters.set(port, { count: this.#countFilters(port), lookedMs: performance.now() });
  }

  #countFilters(port: string): number {
    const index = findDevice(this.#netns, port)?.index;
    if (index === undefined) return 0;
    try {
      return visitNetns(this.#netns, () => countFilters(index, "egress", ["u32", "bpf"])) ?? 0;
    } catch (error) {
      if (error instanceof SystemCallError) return 0;
      throw error;
    }
  }

  #isOwned(link: Link): boolean {
    return this.#instanceOf(link) !== undefined;
  }

  #instanceOf(link: Link): string | undefined {
    const match = /^zor-agent=(\S+) zor-instance=(\S+)$/.exec(link.ifalias ?? "");
    return match?.[1] === this.#agentUid ? match[2] : undefined;
  }
}

/**
 * Has the kernel cut UDP super-frames up before they leave a container. Open vSwitch's userspace datapath (3.1, with userspace-tso)
 * knows those of TCP only: it would lose all that is sent with UDP_SEGMENT, as QUIC servers do.
 */
async function dropUdpSegmentation(nic: string, where: IpOptions): Promise<void> {
  await run("ethtool", ["-K", nic, "tx-udp-segmentation", "off"], where);
}

/** Addresses of a lab are the user's: waiting for duplicate detection would only delay the first packet. */
function noDad(address: string): readonly string[] {
  return address.includes(":") ? ["nodad"] : [];
}
