import type { ContainerCapability } from "../containers/capabilities.js";
import type { ContainerPolicy } from "../containers/container-policy.js";
import type { DiskQuota } from "../disk-quota.js";
import type { AllowedRegistry } from "./registry-policy.js";

/** In what engines differ that speak the same API. */
export interface EngineProduct {
  /** Word of the driver, of its options in InstanceSpec, and of the engine for people. */
  readonly kind: "docker" | "podman";
  /** What its driver of logs is called that keeps them in bounded files. */
  readonly logDriver: string;
  /** It sets limits higher than its own when it is not told which, and fails where it may not. */
  readonly raisesLimits: boolean;
  /** It tells a container that has no network of the engine's whom to ask for names. podman 4.3 says nothing and leaves that out. */
  readonly tellsNameServers: boolean;
}

/** Path of podman's own API (docs.podman.io/en/latest/_static/api.html); services serve their older clients. */
export const libpodPrefix = "/v4.0.0/libpod";

/** What the driver of an engine needs of the agent. */
export interface EngineDriverOptions {
  /** Unix socket of the engine. */
  readonly socketPath: string;
  /** Directories that archives of images may be in. */
  readonly imageDirectories: readonly string[];
  /** Capabilities beyond the default ones that containers may ask for. */
  readonly containerCapabilities: readonly ContainerCapability[];
  /** Images that may be fetched; default: none. */
  readonly registries: readonly AllowedRegistry[];
  /** What containers may have of the host; default: nothing. */
  readonly containers?: ContainerPolicy;
  /** What instances may have of the host's disk; default: nobody asks. */
  readonly quota?: DiskQuota;
  /** Where drivers keep what belongs to no instance; default: nothing is kept. */
  readonly stateDirectory?: string;
}
