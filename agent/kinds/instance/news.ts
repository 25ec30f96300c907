import { EventSeverity } from "../../../proto/gen/zor/v1/event.js";
import type { InstanceContext } from "./context.js";
import type { InstanceRecord } from "./record.js";

/** Tells those who wait that something may be otherwise now. */
export class News {
  readonly #waiting = new Set<() => void>();

  tell(): void {
    for (const wake of this.#waiting) wake();
  }

  /** Whether the condition came true before the signal aborted. It is looked at after each {@link tell}. */
  async waitFor(condition: () => boolean, signal: AbortSignal): Promise<boolean> {
    while (!condition() && !signal.aborted) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const wake = (): void => resolve();
      this.#waiting.add(wake);
      signal.addEventListener("abort", wake, { once: true });
      await promise;
      this.#waiting.delete(wake);
      signal.removeEventListener("abort", wake);
    }
    return condition();
  }
}

/** Tells watchers of something that happened to an instance and is no change of its state. */
export function tellOf(
  { emit }: Pick<InstanceContext, "emit">,
  { stored }: InstanceRecord,
  { type, message }: { readonly type: string; readonly message: string },
): void {
  const severity = EventSeverity.EVENT_SEVERITY_WARNING;
  emit({
    severity,
    type: `instance.${type.replaceAll("-", "_")}`,
    resource: stored.resource.name,
    message,
    caller: "",
  });
}
