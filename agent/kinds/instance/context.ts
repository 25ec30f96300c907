import type { InstanceDriver } from "../../drivers/driver.js";
import type { Boot } from "../../host/boot.js";
import type { EventDraft } from "../../kit/events.js";
import type { References } from "../../kit/references.js";
import type { VolumeHolders } from "../../storage/volume-holders.js";
import type { InstanceNetworks } from "../../network/instance-networks.js";
import type { InstanceStore } from "./instance-store.js";
import type { Neighbours } from "./neighbours.js";
import type { InstanceRecord } from "./record.js";
import type { SharedNetworks } from "./shared-networks.js";
import type { HostLimits } from "./spec-check.js";
import type { StartTurns } from "./start-turns.js";

/** What the work at instances needs of the agent around it. */
export interface InstanceContext {
  /** Id of this host. */
  readonly host: string;
  readonly limits: HostLimits;
  /** The run of the host's kernel that is now: what ran in another one ended with it. */
  readonly boot: Boot;
  readonly store: InstanceStore;
  readonly networks: InstanceNetworks;
  /** The resources of other kinds: a NIC refers to its lan. */
  readonly references: Pick<References, "has" | "assertThere" | "usersOf" | "nameOf">;
  /** Which instances have which volumes. */
  readonly holders: VolumeHolders;
  readonly drivers: readonly InstanceDriver[];
  /** Tells watchers that the record changed. */
  readonly publish: (record: InstanceRecord) => void;
  readonly emit: (event: EventDraft) => void;
  /** Logs what no client will see: failures while undoing. */
  readonly logError: (error: unknown, message: string) => void;
  readonly now: () => Date;
  readonly waits: Waits;
  /** Those that reach instances from their lans. */
  readonly neighbours: Neighbours;
  readonly turns: StartTurns;
  readonly shared: SharedNetworks;
  /** Memory of the host that stays free when something starts, MiB. */
  readonly memoryReserveMib: number;
}

/** Instances that are started without anybody asking for it. */
export interface Waits {
  /** Waits for the time of its next start that the record has, or no more when it has none. */
  arm(record: InstanceRecord): void;
  /** It waits no more to be started because the host has booted. */
  bootDone(record: InstanceRecord): Promise<void>;
}

/** Options of everything a person or program asks of an instance. */
export interface ActionOptions {
  /** Ends the work; what it began is undone. */
  readonly signal: AbortSignal;
  /** Identity of who asks. */
  readonly caller: string;
}
