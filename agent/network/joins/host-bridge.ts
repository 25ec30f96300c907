/** A bridge of the host that is not ours: ports are put into it and taken out, and nothing else. */
export interface HostBridge {
  readonly type: "linux" | "ovs";
  /** In bytes; undefined: not known. */
  readonly mtu: number | undefined;
  /**
   * MAC address that a port must have for the bridge to keep its own; undefined: it keeps it if the port's is above those of cards.
   */
  readonly keptMac: string | undefined;
  /** Why an interface is no port of it, for people; "": it is one. */
  missing(device: string): string;
  /** Puts an interface into it. Idempotent. @throws {ZorError} */
  add(device: string): Promise<void>;
  /** Takes an interface out. Idempotent. @throws {ZorError} */
  remove(device: string): Promise<void>;
  /** Leaves it as it was before, once the interface that had this address is gone. */
  settle(mac: string): Promise<void>;
}

/** Who puts ports into bridges. */
export interface PortOwner {
  readonly agentUid: string;
  /** Resource name. */
  readonly name: string;
}
