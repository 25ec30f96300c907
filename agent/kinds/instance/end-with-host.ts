import { ShutdownAction } from "../../../proto/gen/zor/v1/instance.js";
import type { Progress } from "../../drivers/driver.js";
import { endInOrder } from "./host-boot.js";
import type { InstanceRecord } from "./record.js";
import { hostShutdown } from "./restart-plan.js";
import { toldOf } from "../../host/told.js";

/** What instances are ended by when the host shuts down. */
export interface HostShutdownMeans {
  /** Ends one at once. */
  readonly act: (action: "stop", id: string, options: EndOptions) => Promise<unknown>;
  /** Keeps its memory on disk and ends it. @throws {ZorError} when it cannot. */
  readonly suspend: (id: string, options: EndOptions & { readonly progress: Progress }) => Promise<unknown>;
  /** Asks its guest until it has ended. @throws {ZorError} when it does not within the time. */
  readonly shutDown: (id: string, options: EndOptions & { readonly timeoutMs: number }) => Promise<unknown>;
}

interface EndOptions {
  readonly signal: AbortSignal;
  readonly caller: string;
  readonly validateOnly: boolean;
}

const defaultGraceSeconds = 60;

/** Ends all that run as their specifications say, those that are started last first. Resolves to how many run that should not. */
export async function endWithHost(
  records: readonly InstanceRecord[],
  means: HostShutdownMeans,
  { report, signal }: { readonly report: (text: string) => void; readonly signal: AbortSignal },
): Promise<number> {
  let left = 0;
  await endInOrder(
    records.filter(({ handle }) => handle !== undefined),
    async (record) => {
      const { name } = record.stored.resource;
      try {
        report(`${name}: ${await endOne(record, means, { signal, report: (text) => report(`${name}: ${text}`) })}`);
      } catch (error) {
        left += 1;
        report(`${name}: runs on: ${toldOf(error)}`);
      }
    },
  );
  return left;
}

/** Resolves to what was done, for people. */
async function endOne(
  record: InstanceRecord,
  means: HostShutdownMeans,
  { signal, report }: { readonly signal: AbortSignal; readonly report: (text: string) => void },
): Promise<string> {
  const { id, resource } = record.stored;
  const { action = ShutdownAction.SHUTDOWN_ACTION_UNSPECIFIED, graceSeconds = 0 } = resource.spec.hostShutdown ?? {};
  const options = { signal, caller: hostShutdown, validateOnly: false };
  if (action === ShutdownAction.SHUTDOWN_ACTION_NONE) return "left alone, as it says";
  if (action === ShutdownAction.SHUTDOWN_ACTION_SUSPEND && record.driver.can.suspend !== undefined) {
    try {
      await means.suspend(id, { ...options, progress: () => undefined });
      return "suspended";
    } catch (error) {
      signal.throwIfAborted();
      report(`could not be suspended: ${toldOf(error)}`);
    }
  }
  // Without its specification nothing is known but that it runs.
  const isAsked =
    action !== ShutdownAction.SHUTDOWN_ACTION_STOP && !record.specLost && record.observation.state === "running";
  if (isAsked && record.driver.can.shutdown !== undefined) {
    try {
      await means.shutDown(id, { ...options, timeoutMs: (graceSeconds || defaultGraceSeconds) * 1000 });
      return "shut down";
    } catch (error) {
      signal.throwIfAborted();
      if (record.handle === undefined) return "ended";
      await means.act("stop", id, options);
      return `stopped: ${toldOf(error)}`;
    }
  }
  await means.act("stop", id, options);
  return "stopped";
}
