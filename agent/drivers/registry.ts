import type { Log } from "../../lib/log.js";
import type { ContainerCapability } from "./containers/capabilities.js";
import type { ContainerPolicy } from "./containers/container-policy.js";
import { CrunDriver } from "./crun/crun-driver.js";
import { type DiskLimits, DiskQuota } from "./disk-quota.js";
import { createDockerDriver } from "./docker/docker-driver.js";
import type { InstanceDriver } from "./driver.js";
import type { AllowedRegistry } from "./engine-api/registry-policy.js";
import { LibvirtDriver } from "./libvirt/libvirt-driver.js";
import { createPodmanDriver } from "./podman/podman-driver.js";
import { createQemuDriver } from "./qemu/driver.js";
import { type MachinePolicy, nothingAllowed } from "./qemu/hardware/part.js";

/** What drivers are made with. */
export interface DriverOptions {
  /** Directories that images may come from. */
  readonly imageDirectories: readonly string[];
  /** Where drivers keep what belongs to no instance. */
  readonly stateDirectory: string;
  /** Capabilities beyond the default ones that containers may ask for. */
  readonly containerCapabilities: readonly ContainerCapability[];
  /** Sockets of the host's container engines. */
  readonly engines: { readonly docker: string; readonly podman: string };
  /** Connection URIs of libvirts whose domains are shown; default: none. */
  readonly libvirt?: readonly string[];
  /** Identity of the host; default: none, for who only probes. */
  readonly hostUid?: string;
  /** Images that engines may fetch. */
  readonly registries: readonly AllowedRegistry[];
  /** What containers may have of the host; default: nothing. */
  readonly containers?: ContainerPolicy;
  /** What machines are allowed beyond the ordinary; default: nothing. */
  readonly machines?: MachinePolicy;
  /** Directory of the machine that looks into disks; default: one is made. */
  readonly diskAppliance?: string | undefined;
  /** How much of the host's disk instances may have. */
  readonly disk: DiskLimits;
  readonly log: Log;
}

/** All drivers of this agent. A new driver is one folder and one line here. */
export function createDrivers(options: DriverOptions): readonly InstanceDriver[] {
  const quota = new DiskQuota({ directory: options.stateDirectory, limits: options.disk });
  return [
    createQemuDriver({ ...options, policy: options.machines ?? nothingAllowed, quota }),
    new CrunDriver({ ...options, quota }),
    createDockerDriver({ ...options, quota, socketPath: options.engines.docker }),
    createPodmanDriver({ ...options, quota, socketPath: options.engines.podman }),
    new LibvirtDriver({ uris: options.libvirt ?? [], hostUid: options.hostUid ?? "", log: options.log }),
  ];
}
