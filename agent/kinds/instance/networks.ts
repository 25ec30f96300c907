import type { Nic } from "../../../proto/gen/zor/v1/instance.js";
import type { CallOptions, InstanceNetwork, NetworkModel } from "../../drivers/driver.js";

/** The instance whose interfaces are meant. */
export interface NetworkOwner {
  /** Resource name. */
  readonly name: string;
  readonly uid: string;
  readonly model: NetworkModel;
  readonly nics: readonly Nic[];
}

/** What the instance layer needs of the host's network. All methods are idempotent. */
export interface InstanceNetworks {
  /** Whether the lan exists on this host. */
  hasLan(lan: string): boolean;
  /** Makes the interfaces of all NICs and plugs those that name a lan; what exists already is kept as it is. On error nothing new is left. */
  prepare(owner: NetworkOwner, options: CallOptions): Promise<InstanceNetwork>;
  /** Removes everything that prepare made. */
  release(owner: NetworkOwner, options: CallOptions): Promise<void>;
  /** Plugs one prepared NIC into `nic.lan`. The carrier of a veth comes with it, that of a tap is the driver's. */
  plug(owner: NetworkOwner, nic: Nic, options: CallOptions): Promise<void>;
  /** Unplugs one prepared NIC from `nic.lan`. The carrier of a veth goes with it. */
  unplug(owner: NetworkOwner, nic: Nic, options: CallOptions): Promise<void>;
  /** Removes interfaces that carry this agent's tag and belong to none of the owners; resolves to their names. */
  collectGarbage(owners: readonly NetworkOwner[], options: CallOptions): Promise<readonly string[]>;
}
