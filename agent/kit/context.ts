import type { FigureReading } from "../../lib/metrics/figure-families.js";
import type { Log } from "../../lib/log.js";
import type { Operations } from "../../lib/operations.js";
import type { HostScope } from "./host-scope.js";
import type { Publisher } from "./publisher.js";
import type { Remarks } from "./remarks.js";
import type { References, ResourceSource } from "./references.js";
import type { ServiceMethods } from "./serve.js";
import type { DurableWriter } from "./spec-directory.js";

/** What the agent gives to every kind. */
export interface KindContext {
  /** Id of this host. */
  readonly host: string;
  /** State directory of the agent; specifications of a kind are in a directory below it that has the plural's name. */
  readonly state: string;
  readonly scope: HostScope;
  /** The resources of other kinds. */
  readonly references: References;
  readonly publisher: Publisher;
  readonly operations: Operations;
  readonly remarks: Remarks;
  readonly log: Log;
  /** Logs what no client will see: failures while undoing. */
  readonly logError: (error: unknown, message: string) => void;
  readonly now: () => Date;
  /** Aborts when the agent ends: what was begun outlives the call that asked for it, not the agent. */
  readonly signal: AbortSignal;
  /** Writes files durably; default: to the disk. */
  readonly write?: DurableWriter;
}

/** A kind as the agent has it. */
export interface KindPart {
  readonly methods: readonly ServiceMethods[];
  /** Its resources, for other kinds; absent: nothing refers to any. */
  readonly source?: ResourceSource;
  /** What the agent tells of it to a hub when a session begins. */
  readonly hello?: Readonly<Record<string, unknown>>;
  /** What it measures, for whoever reads the agent's metrics. */
  readonly measured?: () => Iterable<FigureReading>;
  /** Work beside the calls, until the signal aborts. Called once everything is served. */
  readonly run?: (signal: AbortSignal) => Promise<void>;
  /** The host shuts down: ends what runs. Resolves to how many still run. */
  readonly shutdownGuests?: (report: (text: string) => void, signal: AbortSignal) => Promise<number>;
  /** Lets go of what is on the host, which goes on. */
  readonly close?: () => Promise<void>;
}

/** A kind, as the list of kinds has it. */
export interface KindModule<Context extends KindContext = KindContext> {
  /** Its singular. */
  readonly kind: string;
  /** Takes up what is on the host; undefined: this host has nothing for resources of this kind. */
  readonly open: (context: Context) => Promise<KindPart | undefined>;
}

/** What was opened, by singular, in the order of the list. */
export type OpenedKinds = ReadonlyMap<string, KindPart>;

/** Opens kinds in their order, so that what others refer to comes first. On an error all that were opened are closed. */
export async function openKinds<Context extends KindContext>(
  modules: readonly KindModule<Context>[],
  context: Context,
): Promise<OpenedKinds> {
  const opened = new Map<string, KindPart>();
  try {
    for (const { kind, open } of modules) {
      const part = await open(context);
      if (part === undefined) continue;
      if (part.source !== undefined) context.references.add(kind, part.source);
      opened.set(kind, part);
    }
  } catch (error) {
    await closeKinds(opened);
    throw error;
  }
  return opened;
}

/** Closes kinds, the last one first. */
export async function closeKinds(opened: OpenedKinds): Promise<void> {
  for (const part of [...opened.values()].reverse()) await part.close?.();
}
