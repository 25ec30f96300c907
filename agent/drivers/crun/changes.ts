import type { Changeable, FieldChange, Timing } from "../abilities/changeable.js";
import { type HasLimits, limitChange } from "../containers/limit-change.js";

const [now, nextStart]: readonly [Timing, Timing] = [{ when: "now" }, { when: "next-start" }];
const anew: Timing = { when: "never", remedy: "what it has written belongs to this one; delete it and create it anew" };
/** What decides over the files that a container has kept. */
const fixed = ["crun.rootfs", "crun.persistent"];

/** Changes of containers: limits at once, interfaces as the network makes them, all else with their next start. */
export class CrunChanges implements Changeable {
  readonly applyChange: Changeable["applyChange"];

  constructor(containers: HasLimits) {
    this.applyChange = limitChange(containers, isLimit);
  }

  timingOf({ path, before, after }: FieldChange): Timing {
    if (fixed.includes(path)) return anew;
    if (isLimit(path)) return now;
    if (!path.startsWith("nics.")) return nextStart;
    const has = ({ nics }: { readonly nics: readonly { readonly name: string }[] }) =>
      nics.some(({ name }) => `nics.${name}` === path);
    // One that is added or taken away is the network's to make; one that stays keeps what it was made with.
    return has(before) && has(after) ? nextStart : now;
  }
}

/** A limit that the kernel takes at any time; that of open files is handed on from process to process. */
function isLimit(path: string): boolean {
  if (path === "cpus" || path === "memory_mib") return true;
  return path.startsWith("crun.limits") && path !== "crun.limits.open_files";
}
