import type { Log } from "../../../lib/log.js";
import type { DiskQuota } from "../disk-quota.js";
import type { MachinePolicy } from "./hardware/part.js";
import type { KvmVerdict } from "./kvm-probe.js";

/** What the driver needs. */
export interface QemuDriverOptions {
  /** Directories that images may come from. */
  readonly imageDirectories: readonly string[];
  /** Where the driver keeps what belongs to no instance: the KVM verdict. */
  readonly stateDirectory: string;
  readonly log: Log;
  /** Milliseconds without a sign of life from a running guest until that is told; default: a minute. */
  readonly silentAfterMs?: number;
  /** What instances may have of the host's disk; default: one of this driver alone. */
  readonly quota?: DiskQuota;
  /** What the agent's settings allow beyond the ordinary; default: nothing. */
  readonly policy?: MachinePolicy;
  /** Directory of the machine that looks into disks, made by libguestfs-make-fixed-appliance(1); default: one is made. */
  readonly diskAppliance?: string | undefined;
  /** Tells whether KVM works; default: boots the built-in image under it, once per boot of the host. */
  readonly probeKvm?: () => Promise<KvmVerdict>;
}
