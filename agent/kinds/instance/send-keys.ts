import { EventSeverity } from "../../../proto/gen/zor/v1/event.js";
import type { Typing } from "../../drivers/abilities/keyboard.js";
import { checkSendKeys } from "./action-checks.js";
import type { ActionOptions, InstanceContext } from "./context.js";
import { attempt } from "./power.js";
import { type InstanceRecord, toDriverInstance } from "./record.js";

/** Types on the keyboard of an instance. What it was is told to nobody: it may be a password. @throws {ZorError} */
export async function sendKeys(
  context: InstanceContext,
  record: InstanceRecord,
  { keys, text, validateOnly, ...options }: ActionOptions & Typing & { readonly validateOnly: boolean },
): Promise<void> {
  const { ability, handle } = checkSendKeys(record);
  const instance = toDriverInstance(record);
  ability.checkKeys(instance, { keys, text });
  if (validateOnly) return;
  await attempt(record, "send keys to", () => ability.sendKeys(instance, handle, { keys, text }, options));
  context.emit({
    severity: EventSeverity.EVENT_SEVERITY_INFO,
    type: "instance.keys-sent",
    resource: record.stored.resource.name,
    message: keys.length > 0 ? `${keys.length} combinations of keys` : `${text.length} characters`,
    caller: options.caller,
  });
}
