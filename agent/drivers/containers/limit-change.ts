import { uninterrupted } from "../../../lib/uninterrupted.js";
import type { Changeable } from "../abilities/changeable.js";
import type { CallOptions, DriverInstance } from "../driver-instance.js";

/** Containers whose limits are changed while they run. */
export interface HasLimits {
  /** Has it keep to the limits of its specification. @throws {ZorError} and then nothing has changed. */
  updateLimits(instance: DriverInstance, options: CallOptions): Promise<void>;
}

/** Carries out a change of a running container: its limits, when any of them is in it, and nothing else. */
export function limitChange(containers: HasLimits, isLimit: (path: string) => boolean): Changeable["applyChange"] {
  return async (instance, handle, { after, paths }, options) => {
    if (handle === undefined || !paths.some(isLimit)) return async () => undefined;
    await containers.updateLimits({ ...instance, spec: after }, options);
    return () => containers.updateLimits(instance, { signal: uninterrupted });
  };
}
