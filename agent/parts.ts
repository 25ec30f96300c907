import type { KeptLog } from "../lib/logs/kept-log.js";
import type { CablePlugger } from "./cable/plugger.js";
import type { AgentSettings } from "./config.js";
import type { InstanceDriver } from "./drivers/driver.js";
import type { InstanceAccess } from "./drivers/instance-access.js";
import type { SavedImages } from "./images/saved-images.js";
import type { Probe } from "./host/fingerprint.js";
import type { KindContext } from "./kit/context.js";
import type { Late } from "./kit/late.js";
import type { Sessions } from "./kit/sessions.js";
import type { Identity } from "../lib/tls/identity.js";
import type { Bridges } from "./network/bridges.js";
import type { NicFilters } from "./network/filters/nic-filters.js";
import type { FlowKeeper } from "./network/flows/flow-keeper.js";
import type { HeardPart } from "./network/heard/heard-addresses.js";
import type { InstanceNetworks } from "./network/instance-networks.js";
import type { SwitchTools } from "./network/ovs/tools/tools.js";
import type { LanSource } from "./network/lan-networks.js";
import type { Healed } from "./network/lans/restorer.js";
import type { OutletNetworks } from "./network/outlets/outlets.js";
import type { PortChange } from "./network/lans/port-faults.js";
import type { LanPorts } from "./network/wires/lan-ports.js";
import type { Wires } from "./network/wires/wires.js";
import type { JoinNetworks } from "./network/joins/joins.js";
import type { NatNetworks } from "./network/nat/nats.js";
import type { PhyNetworks } from "./network/phys/phys.js";
import type { TapNetworks } from "./network/taps/taps.js";
import type { VtepNetworks } from "./network/vteps/vteps.js";
import type { Scheduler } from "./schedules/scheduler.js";
import type { VolumeHolders } from "./storage/volume-holders.js";
import type { Pools } from "./storage/pools.js";

/** The network of a host, as the agent uses it. */
export interface NetworkPart {
  readonly lans: Pick<Bridges, "ensureLan" | "deleteLan" | "list" | "find">;
  /** The interfaces of instances; `source` knows the desired lans. */
  readonly createInstanceNetworks: (source: LanSource) => InstanceNetworks;
  /** Undefined: this host has no wires. */
  readonly wires?: Wires;
  /** Undefined: wires end at no lan here. */
  readonly lanPorts?: LanPorts;
  /** Ways out of lans; undefined: this host has none. */
  readonly nats?: NatNetworks;
  /** Interfaces of the host that are plugged into lans; undefined: this host has none. */
  readonly taps?: TapNetworks;
  /** Bridges of the host that lans are joined with; undefined: this host has none. */
  readonly joins?: JoinNetworks;
  /** Tunnels from lans to ends that are not ours; undefined: this host has none. */
  readonly vteps?: VtepNetworks;
  /** The flows of lans; undefined: this host keeps none. */
  readonly flows?: FlowKeeper;
  /** The filters of interfaces in lans; undefined: this host has none. */
  readonly filters?: Pick<NicFilters, "count">;
  /** Collectors and controllers of lans; undefined: this host has none. */
  readonly outlets?: OutletNetworks;
  /** Interfaces of the host that take part in lans; undefined: this host has none. */
  readonly phys?: PhyNetworks;
  /** Calls back when lans or ports change. Returns the way to stop. */
  readonly onChange: (listener: () => void) => () => void;
  /** Calls back when a port does not do what its settings say, and when it does again. Returns the way to stop. */
  readonly onPortChange: (listener: (change: PortChange) => void) => () => void;
  /** Calls back when a lan or the switch was put right by itself. Returns the way to stop. */
  readonly onHealed?: (listener: (healed: Healed) => void) => () => void;
  /** Which addresses guests were heard to have; undefined: nobody listens. */
  readonly heard?: HeardPart;
  /** The tools of the host's own switch; undefined: it has none. */
  readonly switchTools?: SwitchTools;
  /** Lets go of the network; it stays as it is. */
  readonly close: () => Promise<void>;
}

/** What the cable engine of a host works with. */
export interface CablePart {
  /** Plugs its taps into lans. */
  readonly plugger: CablePlugger;
  /** The switch takes UDP super-frames. */
  readonly udpSuperFrames: boolean;
}

/** What an agent is made of; tests put their own in. */
export interface AgentParts {
  readonly drivers: readonly InstanceDriver[];
  readonly network: NetworkPart;
  /** Undefined: this host has neither links nor boxes. */
  readonly cables: CablePart | undefined;
  /** What captures add to the host's clock, in nanoseconds; default: nothing. */
  readonly clockShiftNs?: bigint;
  /** Finds out what the kernel and the programs of the host can do; default: by trying them. */
  readonly probeHost?: Probe;
}

/** What the agent gives to the kinds of its list. */
export interface AgentContext extends KindContext {
  readonly settings: AgentSettings;
  readonly hostUid: string;
  readonly parts: AgentParts;
  /** The agent's own log; undefined: it keeps none. */
  readonly keptLog: KeptLog | undefined;
  /** The instances, for the kinds after theirs. */
  readonly instances: Late<InstanceAccess>;
  /** Who is at which terminal. */
  readonly sessions: Sessions;
  /** Where instances are saved as images. */
  readonly savedImages: Late<SavedImages>;
  /** Storage, as pools and volumes share it. */
  readonly pools: Pools;
  /** Which instances have which volumes. */
  readonly holders: VolumeHolders;
  /** As whom this host calls others. */
  readonly peer: { readonly identity: () => Identity; readonly isRevoked: (serial: string) => boolean };
  /** Has snapshots and backups taken by themselves. */
  readonly schedules: Scheduler;
}
