import { uninterrupted } from "../../../lib/uninterrupted.js";
import { EventSeverity } from "../../../proto/gen/zor/v1/event.js";
import type { Instance } from "../../../proto/gen/zor/v1/instance.js";
import { asFailure } from "../../kit/failure.js";
import { newStored } from "../../kit/metadata.js";
import type { ActionOptions, InstanceContext } from "./context.js";
import { reserve, setPhase } from "./creation.js";
import type { Discovered } from "./discovered.js";
import { keepHandle, observe } from "./observe.js";
import { type InstanceRecord, toDriverInstance } from "./record.js";
import { newLife } from "./restart-plan.js";

/** The instance that something found becomes. @throws {ZorError} FAILED_PRECONDITION when it cannot be adopted. */
export function planAdoption(context: InstanceContext, found: Discovered, caller: string): InstanceRecord {
  const { id, uid, driver, observation } = found;
  const now = context.now();
  const spec = found.discovering.toAdopted(found);
  const name = `hosts/${context.host}/instances/${id}`;
  const common = { labels: {}, annotations: {}, caller, now, phase: "creating" } as const;
  return {
    stored: newStored<Instance>({ id, name, uid, spec, ...common }),
    driver,
    directory: context.store.driverDirectory(id),
    specLost: false,
    handle: undefined,
    network: undefined,
    activity: undefined,
    observation: { ...observation, reason: "" },
    observeTime: now,
    lastStartTime: undefined,
    lastEnd: undefined,
    life: newLife,
    running: undefined,
    suspended: undefined,
    awaitsBoot: false,
  };
}

/**
 * Makes what was found the agent's own: its specification is on disk, then it is marked. On error neither is left. An agent that is
 * killed in between lets go of it, or, of what runs, goes on as if it had been told.
 */
export async function carryOutAdoption(
  context: InstanceContext,
  record: InstanceRecord,
  { caller, signal }: ActionOptions,
): Promise<void> {
  const { name } = record.stored.resource;
  await reserve(context, record);
  await using undo = new AsyncDisposableStack();
  undo.defer(async () => {
    // Only to be let go of: whatever it is, it runs on.
    await record.driver.destroy(toDriverInstance(record), { signal: uninterrupted }).catch((error: unknown) => {
      context.logError(error, `the mark of ${name} could not be taken away`);
    });
    await context.store.remove(record.stored.id);
  });
  try {
    await record.driver.create(toDriverInstance(record), { signal, progress: () => undefined });
    record.handle = await record.driver.recover(toDriverInstance(record), undefined, { signal });
    if (record.handle !== undefined) await keepHandle(context, record, record.handle);
    await setPhase(context, record, "ready");
  } catch (error) {
    throw asFailure(error, name, "adopt");
  }
  undo.move();
  context.emit({
    severity: EventSeverity.EVENT_SEVERITY_INFO,
    type: "instance.adopted",
    resource: name,
    message: "",
    caller,
  });
  await observe(context, record, { signal: uninterrupted, caller });
}
