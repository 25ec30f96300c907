import type { Changeable, FieldChange, Timing } from "../abilities/changeable.js";
import { type HasLimits, limitChange } from "../containers/limit-change.js";

const limits = ["cpus", "memory_mib", "max_tasks", "cpu_set", "swap_mib"];
const anew: Timing = {
  when: "never",
  remedy: "the container was made with it; delete the instance and create it anew",
};

/** Changes of containers: limits at once, interfaces as the network makes them; all else the engine asks for when it makes one. */
export class EngineChanges implements Changeable {
  readonly applyChange: Changeable["applyChange"];

  constructor(containers: HasLimits) {
    this.applyChange = limitChange(containers, isLimit);
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
}

/** "cpus", or "docker.max_tasks" below the driver's options. */
function isLimit(path: string): boolean {
  return limits.includes(path.replace(/^(docker|podman)\./, ""));
}
