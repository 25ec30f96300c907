import type { EventSeverity } from "../../../proto/gen/zor/v1/event.js";
import type { InstanceDriver } from "../../drivers/driver.js";
import type { Boot } from "../../host/boot.js";
import type { InstanceStore } from "./instance-store.js";
import type { InstanceNetworks } from "./networks.js";
import type { InstanceRecord } from "./record.js";
import type { HostLimits } from "./spec-check.js";

/** Something to tell those who watch. */
export interface EventDraft {
  readonly severity: EventSeverity;
  /** Stable form, "instance.started". */
  readonly type: string;
  readonly resource: string;
  readonly message: string;
  /** Identity of who caused it; "": nobody did. */
  readonly caller: string;
}

/** What the work at instances needs of the agent around it. */
export interface InstanceContext {
  /** Id of this host. */
  readonly host: string;
  readonly limits: HostLimits;
  /** The run of the host's kernel that is now: what ran in another one ended with it. */
  readonly boot: Boot;
  readonly store: InstanceStore;
  readonly networks: InstanceNetworks;
  readonly drivers: readonly InstanceDriver[];
  /** Tells watchers that the record changed. */
  readonly publish: (record: InstanceRecord) => void;
  readonly emit: (event: EventDraft) => void;
  /** Logs what no client will see: failures while undoing. */
  readonly logError: (error: unknown, message: string) => void;
  readonly now: () => Date;
}

/** Aborts never: undoing and cleaning up must not be cut short by whoever asked for the work. */
export const uninterrupted = new AbortController().signal;
