import type { Nic } from "../../proto/gen/zor/v1/instance.js";
import type { NicFilters } from "./filters/nic-filters.js";
import type { HeardPart } from "./heard/heard-addresses.js";

/**
 * How instances of a driver come to their interfaces. "tap": taps in the switch's namespace, where the driver runs the machine. "join":
 * veths in a namespace made for the instance, which it joins. "host": veths whose other ends are in the agent's own namespace, where the
 * runtime takes them from. "own": the runtime brings its own namespace and network; such an instance has no NICs.
 */
export type NetworkModel = "tap" | "join" | "host" | "own";

/** A network interface that the network layer has made ready for the instance. */
export interface NicPort {
  /** Name inside the instance, "eth0". */
  readonly nic: string;
  readonly mac: string;
  /** MTU of the interface in bytes. */
  readonly mtu: number;
  /** Addresses with prefix length. */
  readonly addresses: readonly string[];
  /** Name of the tap (QEMU) or of the switch-side veth (containers), in `netns`. */
  readonly port: string;
  /** "host": name of the other end, in the agent's own namespace. */
  readonly device?: string;
  /** It is in a lan, or in a wire whose other end is there: the guest sees carrier. Default: yes. */
  readonly plugged?: boolean;
  /** Queues of a tap; default 1. */
  readonly queues?: number;
}

/** Where an instance's interfaces are. */
export interface InstanceNetwork {
  /** Named net namespace: that of the taps ("tap": run the machine there), the instance's ("join": join it), or none ("host", "own": ""). */
  readonly netns: string;
  readonly nics: readonly NicPort[];
  /** The switch takes UDP super-frames (UDP_SEGMENT, USO); one that does not loses them. Default: yes. */
  readonly udpSuperFrames?: boolean;
}

/** Options of calls that take time. */
export interface CallOptions {
  readonly signal: AbortSignal;
}

/** The instance whose interfaces are meant. */
export interface NetworkOwner {
  /** Resource name. */
  readonly name: string;
  readonly uid: string;
  readonly model: NetworkModel;
  readonly nics: readonly Nic[];
}

/** What wires have to do with the NICs of instances. Those are told by their resource names. */
export interface NicWires {
  /** Resource name of the wire that a NIC is in; "": none. */
  holderOf(nic: string): string;
  /** Whether a NIC that is in no lan has carrier; undefined: it is not known yet, and stays as it is. */
  carrierOf(nic: string): boolean | undefined;
  /** Calls back with a NIC whose carrier the driver is to show anew. Returns the way to stop. */
  onCarrier(listener: (nic: string) => void): () => void;
}

/** What the instance layer needs of the host's network. All methods are idempotent. */
export interface InstanceNetworks {
  /** Undefined: this host has no wires. */
  readonly wires?: NicWires | undefined;
  /** What guests were heard to say; undefined: nobody listens. */
  readonly heard?: HeardPart | undefined;
  /** What NICs let in and out; undefined: they have no filters here. */
  readonly filters?: Pick<NicFilters, "follow" | "refresh"> | undefined;
  /** Makes the interfaces of all NICs and plugs those that name a lan; what exists already is kept as it is. On error nothing new is left. */
  prepare(owner: NetworkOwner, options: CallOptions): Promise<InstanceNetwork>;
  /** Names of the NICs of one that runs whose interfaces are gone from the host, or are held by nobody. Never waits. */
  findLost?(owner: NetworkOwner): readonly string[];
  /** Gives interfaces of one that runs the kernel's filters again that somebody took away; resolves to the names of these NICs. */
  keepFilters?(network: InstanceNetwork, options: CallOptions): Promise<readonly string[]>;
  /** Removes everything that prepare made. */
  release(owner: NetworkOwner, options: CallOptions): Promise<void>;
  /** Plugs one prepared NIC into `nic.lan` with its settings; where it is there already, it gets these settings. The carrier of a veth comes with it, that of a tap is the driver's. */
  plug(owner: NetworkOwner, nic: Nic, options: CallOptions): Promise<void>;
  /** Unplugs one prepared NIC from `nic.lan`. The carrier of a veth goes with it. */
  unplug(owner: NetworkOwner, nic: Nic, options: CallOptions): Promise<void>;
  /** Removes the interface of one NIC, which nothing uses any more. */
  drop(owner: NetworkOwner, nic: Nic, options: CallOptions): Promise<void>;
  /** All instances that run have been prepared again: those whose interfaces are not known do not run. */
  settle?(): Promise<void>;
  /** Removes interfaces that carry this agent's tag and belong to none of the owners; resolves to their names. */
  collectGarbage(owners: readonly NetworkOwner[], options: CallOptions): Promise<readonly string[]>;
}
