import type { Handlers } from "../lib/grpc/service.js";
import type { CableServiceService } from "../proto/gen/zor/agent/v1/cable_service.js";
import type { InstanceDriver } from "./drivers/driver.js";
import type { LanSource } from "./kinds/instance/lan-networks.js";
import type { InstanceNetworks } from "./kinds/instance/networks.js";
import type { LanContext } from "./kinds/lan/lan-manager.js";
import type { CablePlugger } from "./cable/plugger.js";

/** The network of a host, as the agent uses it. */
export interface NetworkPart {
  readonly lans: LanContext["lans"];
  /** The interfaces of instances; `source` knows the desired lans. */
  readonly createInstanceNetworks: (source: LanSource) => InstanceNetworks;
  /** Calls back when lans or ports change. Returns the way to stop. */
  readonly onChange: (listener: () => void) => () => void;
  /** Lets go of the network; it stays as it is. */
  readonly close: () => Promise<void>;
}

/** The link ends of a host, as the agent uses them. */
export interface CablePart {
  readonly handlers: Handlers<typeof CableServiceService>;
  /** TCP port of the cable engine. */
  readonly port: number;
  /** SHA-256 of the cable certificate's subject public key info. */
  readonly keySha256: Buffer;
  /** Links may be kernel vxlan tunnels. */
  readonly vxlan: boolean;
  /** Why the machine cannot carry them, whatever the policy; empty when it can. */
  readonly vxlanMissing: string;
  /** Lets go of the engine; it and its links go on. */
  readonly close: () => Promise<void>;
}

/** What an agent is made of; tests put their own in. */
export interface AgentParts {
  readonly drivers: readonly InstanceDriver[];
  readonly network: NetworkPart;
  /** Called once the lans are restored; undefined: this host serves no links. */
  readonly openCables: (() => Promise<CablePart>) | undefined;
  /** Plugs the taps of in-line boxes into lans; absent: this host has no boxes. */
  readonly plugger?: CablePlugger;
}
