import type { Changeable, FieldChange, Timing } from "../abilities/changeable.js";

const nextStart: Timing = { when: "next-start" };
const anew: Timing = {
  when: "never",
  remedy: "its devices are where this machine type has them; delete it and create it anew",
};
const otherDisks: Timing = {
  when: "never",
  remedy: "what is on its disks belongs to this machine; delete it and create it anew",
};

/** Changes of machines: they take effect with the next start. */
export class QemuChanges implements Changeable {
  timingOf({ path }: FieldChange): Timing {
    if (path === "qemu.machine") return anew;
    return path === "qemu.disks" ? otherDisks : nextStart;
  }

  async applyChange(): Promise<() => Promise<void>> {
    return async () => undefined;
  }
}
