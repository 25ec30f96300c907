import { uninterrupted } from "../../../lib/uninterrupted.js";
import type { Changeable, FieldChange, SpecChange, Timing } from "../abilities/changeable.js";
import type { CallOptions, DriverInstance, RecoveryHandle } from "../driver-instance.js";

/** What a running container is changed with. */
export interface EngineLimits {
  /** Has it keep to the limits of its specification. */
  updateLimits(instance: DriverInstance, options: CallOptions): Promise<void>;
}

const limits = ["cpus", "memory_mib", "max_tasks", "cpu_set"];
const anew: Timing = {
  when: "never",
  remedy: "the container was made with it; delete the instance and create it anew",
};

/** Changes of containers: limits at once, interfaces as the network makes them; all else the engine asks for when it makes one. */
export class EngineChanges implements Changeable {
  readonly #containers: EngineLimits;

  constructor(containers: EngineLimits) {
    this.#containers = containers;
  }

  timingOf({ path, before }: FieldChange): Timing {
    if (isLimit(path)) return { when: "now" };
    const options =
      before.driver?.$case === "docker" || before.driver?.$case === "podman" ? before.driver.value : undefined;
    const field = path.split(".")[1] ?? "";
    // One that is thrown away is made anew at each start, of the image that was brought when the instance was created.
    const isMade = options?.persistent !== false || ["image", "pull", "persistent"].includes(field);
    return !path.startsWith("nics.") && isMade ? anew : { when: "next-start" };
  }

  async applyChange(
    instance: DriverInstance,
    handle: RecoveryHandle | undefined,
    { after, paths }: SpecChange,
    options: CallOptions,
  ): Promise<() => Promise<void>> {
    if (handle === undefined || !paths.some(isLimit)) return async () => undefined;
    await this.#containers.updateLimits({ ...instance, spec: after }, options);
    return () => this.#containers.updateLimits(instance, { signal: uninterrupted });
  }
}

/** "cpus", or "docker.max_tasks" below the driver's options. */
function isLimit(path: string): boolean {
  return limits.includes(path.replace(/^(docker|podman)\./, ""));
}
