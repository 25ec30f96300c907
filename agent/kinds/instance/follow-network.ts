import { EventSeverity } from "../../../proto/gen/zor/v1/event.js";
import type { InstanceContext } from "./context.js";
import { reset } from "./power.js";
import { type InstanceRecord, networkOf, specOf } from "./record.js";
import { toldOf } from "../../host/told.js";

/** Takes an instance whose network is that of a run that has ended into that of the present one, by restarting it. Never throws but when aborted. */
export async function followNetwork(
  context: InstanceContext,
  record: InstanceRecord,
  signal: AbortSignal,
): Promise<void> {
  if (networkOf(record, specOf(record)) === "" || record.handle === undefined) return;
  if (record.activity !== undefined || record.claim !== undefined || record.observation.state !== "running") return;
  const found = await context.shared.look(record);
  if (found.network !== undefined || !found.again) return;
  const { name } = record.stored.resource;
  const tell = (severity: EventSeverity, type: string, message: string): void =>
    context.emit({ severity, type, resource: name, message, caller: "" });
  tell(EventSeverity.EVENT_SEVERITY_WARNING, "instance.network-followed", `it ${found.reason}: it is restarted there`);
  try {
    record.network = context.shared.forStart(record);
    await reset(context, record, { signal, caller: "" });
  } catch (error) {
    signal.throwIfAborted();
    context.logError(error, `${name} could not be restarted in the network that it joins`);
    tell(EventSeverity.EVENT_SEVERITY_ERROR, "instance.network-lost", toldOf(error));
  }
}
