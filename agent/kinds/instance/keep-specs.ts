import type { InstanceSpec } from "../../../proto/gen/zor/v1/instance.js";
import type { InstanceContext } from "./context.js";
import type { InstanceRecord } from "./record.js";
import type { StoredInstance } from "./stored-instance.js";

/** What an instance is to be, and what runs, where that may be something else. */
interface KeptSpecs {
  readonly changed: StoredInstance;
  readonly running: InstanceSpec | undefined;
}

/**
 * Writes down what runs, and then what the instance is to be: an agent that is killed in between must know what runs. On error both are
 * as they were. @throws {ZorError} RESOURCE_EXHAUSTED when the disk is full.
 */
export async function keepSpecs(
  context: InstanceContext,
  record: InstanceRecord,
  { changed, running }: KeptSpecs,
): Promise<void> {
  await using undo = new AsyncDisposableStack();
  if (running !== undefined) {
    undo.defer(() => restoreRunning(context, record));
    await context.store.writeRunning(changed.id, changed.resource.name, running);
  }
  await context.store.writeSpec(changed);
  undo.move();
  record.stored = changed;
  record.running = running;
}

/** Never throws. */
async function restoreRunning(context: InstanceContext, { stored, running }: InstanceRecord): Promise<void> {
  const { id, resource } = stored;
  try {
    if (running === undefined) await context.store.removeRunning(id);
    else await context.store.writeRunning(id, resource.name, running);
  } catch (error) {
    context.logError(error, `what runs of ${resource.name} could not be written down again as it is`);
  }
}
