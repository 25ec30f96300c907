import type { DiskQuota } from "../../drivers/disk-quota.js";
import type { PoolBackend } from "../pool-backend.js";
import type { AllowedPool } from "../pool-policy.js";
import { DirectoryBackend } from "./directory.js";
import { GlusterBackend } from "./gluster.js";
import { IscsiBackend } from "./iscsi.js";
import { LvmThinBackend } from "./lvm-thin.js";
import { NfsBackend } from "./nfs.js";
import { RbdBackend } from "./rbd.js";

/** What backends are made with. */
export interface BackendOptions {
  /** State directory of the agent. */
  readonly state: string;
  /** What pools may be made of. */
  readonly policy: readonly AllowedPool[];
  /** What is promised of the file system that the state directory is on. */
  readonly quota: DiskQuota;
}

/** All kinds of storage of this agent. A new one is one file and one line here. */
export function createBackends(options: BackendOptions): readonly PoolBackend[] {
  return [
    new DirectoryBackend(options),
    new LvmThinBackend(options),
    new NfsBackend(options),
    new RbdBackend(options),
    new IscsiBackend(options),
    new GlusterBackend(options),
  ];
}
